//! Sends that are awaited: one call, receipts, retries.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use ringway_sender::{
    ConnectError, Outcome, Payload, Reason, Receipt, RetryConfig, SendError, Sender, SenderConfig, SessionId,
};

use crate::fake::{FakeCluster, THEIR_RING, Take, refusal, secret, soon};
use crate::{config, connect};

#[tokio::test]
async fn a_send_is_exactly_one_call_whatever_the_number_of_workers() {
    for workers in [1, 16] {
        let cluster = FakeCluster::start(workers).await;
        let sender = connect(&cluster).await;
        let before = sender.calls();
        let receipt = soon("a receipt", sender.send_to_user("alice", "hello").message_id("m1").send()).await;
        let expected = Receipt {
            outcome: Outcome::Delivered,
            sessions: 1,
            sessions_overflowed: 0,
            sessions_suspended: 0,
            sessions_missed: 0,
            message_id: "m1".into(),
            ring_version: THEIR_RING,
            workers_unreached: Vec::new(),
            stored_offset: None,
            is_duplicate: false,
            is_acknowledged: false,
        };
        assert_eq!(receipt, Ok(expected));
        soon("a receipt", sender.send_to_group("room7", "hello").send()).await.unwrap();
        soon("a receipt", sender.send_to_all("hello").message_id("m3").send()).await.unwrap();
        assert_eq!(sender.calls() - before, 3, "{workers} workers");
        for (key, method) in [("alice", "SendToUser"), ("room7", "SendToGroup"), ("m3", "SendToAll")] {
            let seen = cluster.script_of(key).seen();
            assert!(seen.iter().any(|seen| seen.method == method), "{method}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn what_surely_was_not_delivered_is_sent_again_with_the_same_id() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    let script = &cluster.workers[0].script;
    let reasons = [Reason::NotOwner, Reason::Overloaded, Reason::Draining, Reason::Unreachable];
    for reason in reasons {
        script.then(Take::Refuse(refusal(reason)));
    }
    let receipt = soon("a receipt", sender.send_to_user("alice", "hello").send()).await.unwrap();
    assert_eq!(script.ids(), vec![receipt.message_id; reasons.len() + 1]);
}

#[tokio::test]
async fn what_may_have_been_delivered_is_sent_again_only_if_asked() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    let cases = [
        (Reason::ConnectionLost, false, Err(true)),
        (Reason::ConnectionLost, true, Ok(())),
        (Reason::DeadlineExceeded, false, Err(true)),
        (Reason::DeadlineExceeded, true, Ok(())),
        (Reason::InvalidArgument, true, Err(false)),
        (Reason::Internal, true, Err(true)),
    ];
    for (reason, asked, expected) in cases {
        cluster.workers[0].script.then(Take::Refuse(refusal(reason)));
        let call = sender.send_to_user("alice", "hello").message_id("m1");
        let call = if asked { call.retry_ambiguous() } else { call };
        match (soon("an answer", call.send()).await, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(maybe_delivered)) => {
                let refusal = refusal(reason);
                let message_id = "m1".to_owned();
                assert_eq!(error, SendError { refusal, message_id, attempts: 1, maybe_delivered });
            }
            (got, _) => panic!("{reason:?} {asked}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn retries_end_with_the_deadline_and_leave_no_doubt() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    for _ in 0..100_000 {
        cluster.workers[0].script.then(Take::Refuse(refusal(Reason::NotOwner)));
    }
    // More refusals are there than fit into any time that one would wait here.
    let deadline = Duration::from_millis(600);
    let error = soon("the deadline", sender.send_to_user("alice", "hello").deadline(deadline).send()).await;
    let error = error.unwrap_err();
    assert_eq!((error.reason(), error.maybe_delivered()), (Reason::NotOwner, false));
    assert!(error.attempts > 1, "{error}");
    assert_eq!(cluster.workers[0].script.seen().len(), error.attempts as usize);
}

#[tokio::test]
async fn a_worker_that_never_answers_leaves_a_doubt() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    cluster.workers[0].script.then(Take::Hang);
    let call = sender.send_to_user("alice", "hello").deadline(Duration::from_millis(50)).send();
    let error = soon("the deadline", call).await.unwrap_err();
    assert_eq!((error.reason(), error.maybe_delivered()), (Reason::DeadlineExceeded, true));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_before_any_call() {
    let cluster = FakeCluster::start(1).await;
    let mut config = config(&cluster);
    config.pool.message_bytes_max = 16;
    let sender = Sender::connect(config).await.unwrap();
    let before = sender.calls();
    let session = SessionId::from_bytes(&[0; 16]).unwrap();
    let cases = [
        (sender.send_to_user("", "hello"), Reason::InvalidArgument),
        (sender.send_to_group("a\nb", "hello"), Reason::InvalidArgument),
        (sender.send_to_all("a text that is too long"), Reason::MessageTooLarge),
        (sender.send_to_all("").message_id("x".repeat(129)), Reason::InvalidArgument),
        (sender.send_to_all("").exclude_sessions(vec![session; 1025]), Reason::InvalidArgument),
        (sender.send_to_all("").topic("a\nb"), Reason::InvalidArgument),
        (sender.send_to_all(Payload::json_text("{")), Reason::InvalidArgument),
    ];
    for (call, expected) in cases {
        for error in [call.clone().send().await.map(drop), call.publish().await.map(drop)] {
            let error = error.unwrap_err();
            assert_eq!((error.reason(), error.attempts, error.maybe_delivered), (expected, 0, false));
        }
    }
    assert_eq!(sender.calls(), before);
}

#[tokio::test]
async fn a_refusal_by_another_ring_waits_for_the_view_and_goes_to_the_new_owner() {
    let grown = FakeCluster::start(2).await;
    let user = grown.user_of(1);
    let mut cluster = FakeCluster::start(1).await;
    cluster.add().await;
    let mut config = config(&cluster);
    // Without the news of the ring, the second attempt would be the last one for a minute.
    config.retry.view_wait = Duration::from_secs(60);
    config.deadline = Duration::from_secs(60);
    let sender = Sender::connect(config).await.unwrap();
    cluster.workers[0].script.then(Take::Refuse(refusal(Reason::NotOwner)));
    let call = tokio::spawn(sender.send_to_user(user, "hello").message_id("m1").send());
    cluster.workers[0].script.saw(1).await;
    cluster.join(1).await;
    soon("a receipt", call).await.unwrap().unwrap();
    assert_eq!(cluster.workers[0].script.ids(), ["m1"]);
    assert_eq!(cluster.workers[1].script.ids(), ["m1"]);
}

#[tokio::test]
async fn without_a_node_there_is_no_sender() {
    let mut cluster = FakeCluster::start(1).await;
    cluster.crash(0).await;
    let error = soon("an error", Sender::connect(config(&cluster))).await.unwrap_err();
    assert!(error.to_string().contains(cluster.workers[0].member.rpc_url.as_str()), "{error}");
    let error = Sender::connect(SenderConfig::new([], secret())).await.unwrap_err();
    assert!(matches!(error, ConnectError::Ring(_)), "{error}");
}

#[tokio::test]
async fn sends_are_measured_once_each_and_retries_apart() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let cluster = FakeCluster::start(1).await;
    let mut config = config(&cluster);
    config.retry = RetryConfig { view_wait: Duration::ZERO, ..config.retry };
    let sender = Sender::connect(config).await.unwrap();
    let script = &cluster.workers[0].script;
    script.then(Take::Refuse(refusal(Reason::NotOwner)));
    sender.send_to_user("alice", "hello").await.unwrap();
    script.then(Take::Refuse(refusal(Reason::ConnectionLost)));
    sender.send_to_group("room7", "hello").await.unwrap_err();
    script.then(Take::Refuse(refusal(Reason::InvalidArgument)));
    sender.send_to_group("room7", "hello").publish().await.unwrap().await.unwrap_err();
    sender.send_to_all("hello").publish().await.unwrap().await.unwrap();

    let shown = recorder.handle().render();
    let expected = [
        r#"ringway_sender_sends_total{target="user",outcome="delivered"} 1"#,
        r#"ringway_sender_sends_total{target="group",outcome="unknown"} 1"#,
        r#"ringway_sender_sends_total{target="group",outcome="refused"} 1"#,
        r#"ringway_sender_sends_total{target="all",outcome="delivered"} 1"#,
        r#"ringway_sender_retries_total{reason="NOT_OWNER"} 1"#,
        r#"ringway_sender_send_seconds_count{target="group"} 2"#,
    ];
    for line in expected {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}
