"""A client that has never seen ringway's .proto files: it asks the node for them.

usage: foreign_client.py NODE SECRET_FILE USER
"""

import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICES = ["ringway.v1." + name for name in ("Delivery", "Ring", "Sessions")]


class WithSecret(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Adds the cluster secret to every call."""

    def __init__(self, secret):
        self.metadata = [("authorization", "Bearer " + secret)]

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(details._replace(metadata=self.metadata), request)

    def intercept_stream_stream(self, continuation, details, requests):
        return continuation(details._replace(metadata=self.metadata), requests)


def check_health(channel):
    """Health is open to all: for the node, and for each of its services."""
    health = health_pb2_grpc.HealthStub(channel)
    for service in [""] + SERVICES:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, (service, answer)


def check_strangers(channel):
    """Nothing else is."""
    try:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
    else:
        raise AssertionError("reflection answers strangers")


def send(channel, user):
    """A call that is made of nothing but what reflection tells."""
    database = ProtoReflectionDescriptorDatabase(channel)
    missing = set(SERVICES) - set(database.get_services())
    assert not missing, missing
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("ringway.v1.Delivery").FindMethodByName("SendToUser")
    request_class = message_factory.GetMessageClass(method.input_type)
    answer_class = message_factory.GetMessageClass(method.output_type)
    request = request_class(user=user)
    request.message.payload = b"from a foreign client"
    call = channel.unary_unary(
        "/ringway.v1.Delivery/SendToUser",
        request_serializer=request_class.SerializeToString,
        response_deserializer=answer_class.FromString,
    )
    return json_format.MessageToDict(call(request, timeout=5))


def main():
    node, secret_file, user = sys.argv[1:]
    with open(secret_file, encoding="ascii") as file:
        secret = file.read().strip()
    stranger = grpc.insecure_channel(node)
    check_health(stranger)
    check_strangers(stranger)
    receipt = send(grpc.intercept_channel(stranger, WithSecret(secret)), user)
    assert receipt["outcome"] == "OUTCOME_DELIVERED" and receipt["sessions"] == 1, receipt
    print("all is well:", receipt)


if __name__ == "__main__":
    main()
