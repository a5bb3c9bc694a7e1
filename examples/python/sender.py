#!/usr/bin/env python3
"""Sends to users and groups from Python, with nothing but grpcio.

    pip install grpcio grpcio-tools
    python3 examples/python/sender.py --node 127.0.0.1:7070 --secret-file FILE user alice "hello"
    python3 examples/python/sender.py --node 127.0.0.1:7070 --secret-file FILE --direct user alice "hello"
    python3 examples/python/sender.py --node 127.0.0.1:7070 --secret-file FILE group room7 "hello"
    python3 examples/python/sender.py --node 127.0.0.1:7070 --secret-file FILE all "hello"

Any node takes the call and forwards it to the worker that holds the user. With --direct this program asks the node for
the ring once, computes the owner by itself (placement.py) and calls the owner: one RPC instead of two.
"""

import argparse
import os
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "proto")]  # protos_and_services looks for .proto files here

import placement  # noqa: E402

delivery, delivery_services = grpc.protos_and_services("ringway/v1/delivery.proto")
message, _ = grpc.protos_and_services("ringway/v1/message.proto")
ring, ring_services = grpc.protos_and_services("ringway/v1/ring.proto")


class Sender:
    """Calls to one node, each with the cluster secret."""

    def __init__(self, node, secret):
        self.node, self.secret = node, secret
        self.channel = grpc.insecure_channel(node)
        self.delivery = delivery_services.DeliveryStub(self.channel)
        self.ring = ring_services.RingStub(self.channel)

    def call(self, method, request):
        return method(request, timeout=5, metadata=[("authorization", "Bearer " + self.secret)])

    def send(self, target, name, text):
        content = message.Message(payload=text.encode("utf-8"), kind=message.PAYLOAD_KIND_TEXT)
        if target == "user":
            request = delivery.SendToUserRequest(user=name, message=content)
            return self.call(self.delivery.SendToUser, request)
        if target == "group":
            request = delivery.SendToGroupRequest(group=name, message=content)
            return self.call(self.delivery.SendToGroup, request)
        return self.call(self.delivery.SendToAll, delivery.SendToAllRequest(message=content))

    def owner_of(self, key):
        """A sender to the worker that owns a user or a group."""
        snapshot = self.call(self.ring.Get, ring.GetRingRequest())
        if snapshot.strategy != "slots":
            raise SystemExit("this example computes the strategy slots; the cluster uses " + snapshot.strategy)
        active = [member for member in snapshot.members if member.state == ring.MEMBER_STATE_ACTIVE]
        id = placement.owner([(member.id, member.weight) for member in active], key)
        if id is None:
            raise SystemExit("there is no active worker")
        url = next(member.rpc_url for member in active if member.id == id)
        return Sender(url.split("://", 1)[1], self.secret)


def main():
    parser = argparse.ArgumentParser(description="Sends a message through ringway.")
    parser.add_argument("--node", default="127.0.0.1:7070", help="host:port of any node (default %(default)s)")
    parser.add_argument("--secret-file", help="a file with the cluster secret (default: $RINGWAY_CLUSTER_SECRET)")
    parser.add_argument("--direct", action="store_true", help="compute the owner and call it")
    targets = parser.add_subparsers(dest="target", required=True)
    for target in ("user", "group"):
        command = targets.add_parser(target)
        command.add_argument("name")
        command.add_argument("text")
    targets.add_parser("all").add_argument("text")
    arguments = parser.parse_args()

    sender = Sender(arguments.node, read_secret(arguments.secret_file))
    name = getattr(arguments, "name", None)
    try:
        if arguments.direct and name is not None:
            sender = sender.owner_of(name)
        receipt = sender.send(arguments.target, name, arguments.text)
    except grpc.RpcError as error:
        raise SystemExit("%s: %s" % (error.code().name, error.details()))
    outcome = message.Outcome.Name(receipt.outcome)
    print("%s by %s, %d sessions, message %s" % (outcome, sender.node, receipt.sessions, receipt.message_id))


def read_secret(file):
    secret = os.environ.get("RINGWAY_CLUSTER_SECRET", "")
    if file is not None:
        try:
            with open(file, encoding="ascii") as text:
                secret = text.read()
        except (OSError, UnicodeDecodeError) as error:
            raise SystemExit("--secret-file %s: %s" % (file, error))
    if not secret.strip():
        raise SystemExit("no cluster secret: give --secret-file FILE or set RINGWAY_CLUSTER_SECRET (`ringway up` prints its file)")
    return secret.strip()


if __name__ == "__main__":
    main()
