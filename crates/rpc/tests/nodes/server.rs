//! Who may come in, and what is open, counted and described.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use ringway_proto::v1::PublishRequest;
use ringway_proto::v1::delivery_client::DeliveryClient;
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{ClusterSecret, NodeLimits, NodePool, PoolConfig, ServerConfig};
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::fake::{FakeNode, soon, to_user};

/// A foreign client that knows nothing of this crate.
async fn foreign(node: &FakeNode) -> Channel {
    Endpoint::from_shared(node.url.to_string()).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn only_the_cluster_secret_lets_in_and_the_refusal_says_why() {
    let node = FakeNode::start().await;
    let right = format!("Bearer {}", node.secret.expose());
    let cases = [
        (None, Err("missing")),
        (Some(node.secret.expose().to_owned()), Err("malformed")),
        (Some("Basic abc".to_owned()), Err("malformed")),
        (Some("Bearer abc".to_owned()), Err("wrong")),
        (Some(format!("{right}x")), Err("wrong")),
        (Some(right), Ok(())),
    ];
    let mut client = DeliveryClient::new(foreign(&node).await);
    for (authorization, expected) in cases {
        let mut request = Request::new(to_user("alice", "m0"));
        if let Some(value) = &authorization {
            request.metadata_mut().insert("authorization", value.parse().unwrap());
        }
        match (soon("an answer", client.send_to_user(request)).await, expected) {
            (Ok(_), Ok(())) => {}
            (Err(status), Err(word)) => {
                assert_eq!(status.code(), Code::Unauthenticated);
                let refusal = Refusal::from_status(&status);
                assert_eq!(refusal.reason, Reason::Unauthenticated);
                assert!(refusal.message.contains(word), "{authorization:?}: {refusal}");
                assert!(refusal.message.contains("authorization: Bearer <secret>"), "{refusal}");
            }
            (got, _) => panic!("{authorization:?}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn a_stranger_is_refused_before_the_body_comes() {
    let node = FakeNode::start().await;
    let mut client = DeliveryClient::new(foreign(&node).await);
    let never = tokio_stream::pending::<PublishRequest>();
    let status = soon("a refusal", client.publish(never)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = soon("a refusal", client.send_to_user(to_user(&"x".repeat(100_000), ""))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_refused_with_a_reason() {
    let node = FakeNode::start().await;
    let bytes_max = NodeLimits::default().intake_bytes_max();
    let mut client = DeliveryClient::new(foreign(&node).await).max_encoding_message_size(usize::MAX);
    let bearer = format!("Bearer {}", node.secret.expose());
    for (bytes, expected) in [(bytes_max / 2, None), (bytes_max + 1, Some(Reason::MessageTooLarge))] {
        let mut message = to_user("alice", "m0");
        message.message.get_or_insert_default().payload = vec![b'x'; bytes].into();
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let answer = soon("an answer", client.send_to_user(request)).await;
        let refused = answer.err().map(|status| (status.code(), Refusal::from_status(&status)));
        assert_eq!(refused.as_ref().map(|(_, refusal)| refusal.reason), expected, "{bytes}: {refused:?}");
        if let Some((code, refusal)) = refused {
            assert_eq!(code, Code::InvalidArgument, "as of a payload that is only a little too large");
            assert!(refusal.message.contains(&bytes_max.to_string()), "{refusal}");
        }
    }
}

#[tokio::test]
async fn health_follows_the_handle() {
    let node = FakeNode::start().await;
    let mut client = HealthClient::new(node.channel().transport());
    let request = |service: &str| HealthCheckRequest { service: service.into() };

    let mut watch = client.watch(request("ringway.v1.Delivery")).await.unwrap().into_inner();
    let states = [
        (false, ServingStatus::NotServing),
        (true, ServingStatus::Serving),
        (false, ServingStatus::NotServing),
    ];
    for (serving, expected) in states {
        if serving {
            node.health.set_serving();
        } else {
            node.health.set_not_serving();
        }
        loop {
            let seen = soon("a state", watch.next()).await.unwrap().unwrap().status();
            if seen == expected {
                break;
            }
        }
        for service in ["", "ringway.v1.Delivery"] {
            let answer = client.check(request(service)).await.unwrap().into_inner();
            assert_eq!(answer.status(), expected, "{service:?}");
        }
    }
    let status = client.check(request("ringway.v1.Link")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let mut watch = client.watch(request("ringway.v1.Link")).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
}

macro_rules! reflection_lists_services {
    ($node:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let ask = || {
            let message_request = Some(MessageRequest::ListServices(String::new()));
            tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request })
        };
        let refused = ServerReflectionClient::new(foreign($node).await).server_reflection_info(ask()).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);

        let mut client = ServerReflectionClient::new($node.channel().transport());
        let mut answers = client.server_reflection_info(ask()).await.unwrap().into_inner();
        let answer = soon("the list", answers.message()).await.unwrap().unwrap();
        match answer.message_response {
            Some(MessageResponse::ListServicesResponse(list)) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    }};
}

#[tokio::test]
async fn reflection_needs_the_secret_and_lists_the_services_in_both_versions() {
    let node = FakeNode::start().await;
    for services in [reflection_lists_services!(&node, v1), reflection_lists_services!(&node, v1alpha)] {
        for expected in ["ringway.v1.Delivery", "ringway.v1.Ring", "grpc.health.v1.Health"] {
            assert!(services.iter().any(|service| service == expected), "{expected}: {services:?}");
        }
    }
}

#[tokio::test]
async fn calls_are_counted_on_both_sides_by_method_and_code() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let node = FakeNode::start().await;
    let pool = node.pool();
    let mut client = pool.node(&node.url).delivery();
    client.send_to_user(to_user("alice", "m0")).await.unwrap();
    client.send_to_user(to_user("alice", "m1")).await.unwrap();
    client.send_to_user(to_user("refused", "m2")).await.unwrap_err();
    let stranger = NodePool::new(ClusterSecret::generate(), PoolConfig::default());
    stranger.node(&node.url).delivery().send_to_user(to_user("alice", "m3")).await.unwrap_err();
    let slow = tokio::spawn(async move { client.send_to_user(to_user("slow", "m4")).await });
    soon("the slow call", node.entered.notified()).await;
    slow.abort();

    assert_eq!((pool.calls(), stranger.calls()), (4, 1));
    assert_eq!(pool.calls_of("ringway.v1.Delivery/SendToUser"), 4);
    assert_eq!(pool.calls_of("ringway.v1.Ring/Get"), 0);
    let method = r#"method="ringway.v1.Delivery/SendToUser""#;
    let expected = [
        format!("ringway_rpc_client_calls_total{{{method}}} 5"),
        format!("ringway_rpc_server_calls_total{{{method},code=\"OK\"}} 2"),
        format!("ringway_rpc_server_calls_total{{{method},code=\"ABORTED\"}} 1"),
        format!("ringway_rpc_server_calls_total{{{method},code=\"UNAUTHENTICATED\"}} 1"),
        format!("ringway_rpc_server_calls_total{{{method},code=\"CANCELLED\"}} 1"),
    ];
    let counted = async {
        loop {
            let shown = recorder.handle().render();
            if expected.iter().all(|line| shown.contains(line)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), counted).await;
    assert!(in_time.is_ok(), "{expected:#?}\n{}", recorder.handle().render());
}

#[tokio::test]
async fn beyond_connections_max_the_next_one_waits() {
    let node = FakeNode::start_with(ServerConfig { connections_max: 1, ..ServerConfig::default() }).await;
    let first = node.pool();
    first.node(&node.url).delivery().send_to_user(to_user("alice", "m0")).await.unwrap();
    let second = node.channel();
    let call = tokio::spawn(async move { second.delivery().send_to_user(to_user("alice", "m1")).await });
    let early = tokio::time::timeout(Duration::from_millis(50), async {
        while !call.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    assert!(early.await.is_err(), "there is room for one connection only");
    drop(first);
    soon("the second call", call).await.unwrap().unwrap();
}
