//! Workers that act by different rings for a while, over real servers.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use std::time::Duration;

use bytes::Bytes;
use house::{Gateway, House, id, text, to_group, until, within};
use ringway_cluster::{Lease, Member, MemberState, MemoryRegistry, Registry as _};
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{
    Arrived, ClaimReply, ClaimRequest, Claimant, DeliverLocalRequest, Gone, Outcome, Receipt, SessionIds,
    claim_reply, claim_request,
};
use ringway_ring::MemberId;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

/// Longer than a test may take: nobody waits in vain here.
const FOR_EVER: Duration = Duration::from_secs(60);

/// For how long something that must not have happened is looked at.
const A_WHILE: Duration = Duration::from_millis(100);

/// Two workers, each with views of its own, and a member of a group whose session is on its way from the first to the second.
struct Apart {
    house: House,
    group: String,
    user: String,
    gateway: Gateway,
    channel: u64,
    state: Bytes,
    /// The second worker as it sees itself.
    second: Box<dyn Lease>,
    _first: Box<dyn Lease>,
}

impl Apart {
    async fn new() -> Apart {
        let patient = |config: &mut ringway_worker::WorkerConfig| config.arrival_wait_max = FOR_EVER;
        let (user, group) = {
            let both = House::new(2).await;
            (both.key_of("w2", "user"), both.key_of("w1", "group"))
        };
        let mut house = House::with(1, patient).await;
        let mut gateway = house.gateway("w1").await;
        let channel = gateway.open_ok(&user, &[&group]).await;
        let registry = MemoryRegistry::new();
        let member = |house: &House, name: &str| house.views.current().member(&id(name)).unwrap().clone();
        let first = registry.join(member(&house, "w1")).await.unwrap();
        house.add_seeing(house.views_of(&registry), "w2", patient).await;
        let mut views = house.views.subscribe();
        within(views.wait_for(|view| view.member(&id("w2")).is_some())).await.unwrap();
        let second = registry.join(member(&house, "w2")).await.unwrap();
        assert_eq!(gateway.told_to_move().await, [channel]);
        let state = gateway.detach(channel).await;
        Apart { house, group, user, gateway, channel, state, second, _first: first }
    }

    fn session(&self) -> Vec<u8> {
        self.gateway.sessions[&self.channel].to_bytes().to_vec()
    }

    fn drained(&self) -> Member {
        let member = self.house.views.current().member(&id("w2")).unwrap().clone();
        Member { state: MemberState::Draining, ..member }
    }

    /// The second worker is off its own ring, and says so of the session.
    async fn second_knows_that_it_drains(&self) {
        self.second.update(self.drained()).await.unwrap();
        until(async || {
            let target = Some(Target::Sessions(SessionIds { ids: vec![self.session().into()] }));
            let mut peer = self.house.tenant("w2").node.peer();
            let answer =
                peer.deliver_local(DeliverLocalRequest { target, message: text("x"), wait_ms: 0 }).await;
            answer.unwrap().into_inner().strayed == [self.session()]
        })
        .await;
    }

    async fn first_knows_it_too(&self) {
        self.house.tenant("w2").lease.update(self.drained()).await.unwrap();
    }

    /// Brings the session to the first worker, as soon as that one takes it. Gives back its channel.
    async fn brought_back(&mut self) -> u64 {
        within(async {
            loop {
                let channel = self.gateway.bring(&self.user, self.state.clone(), 0).await;
                match self.gateway.next_but_checkpoints().await {
                    Down::Opened(opened) if opened.channel == channel => return channel,
                    Down::Refused(_) => tokio::task::yield_now().await,
                    other => panic!("{other:?} came instead of an answer"),
                }
            }
        })
        .await
    }

    /// Sends to the group at its home, which is the first worker.
    async fn send_and_see_it_wait(&self) -> JoinHandle<Receipt> {
        let (mut delivery, request) = (self.house.tenant("w1").node.delivery(), to_group(&self.group, "hi"));
        let mut sending =
            tokio::spawn(async move { delivery.send_to_group(request).await.unwrap().into_inner() });
        let waits = tokio::time::timeout(A_WHILE, &mut sending).await.is_err();
        assert!(waits, "nobody knows yet where the session is, or whether it is");
        sending
    }
}

#[tokio::test]
async fn a_message_reaches_a_session_that_comes_back_when_both_know_that_it_does() {
    let mut apart = Apart::new().await;
    apart.second_knows_that_it_drains().await;
    let sending = apart.send_and_see_it_wait().await;
    apart.first_knows_it_too().await;
    let channel = apart.brought_back().await;
    assert_eq!(apart.gateway.message().await, (vec![channel], "hi".to_owned()));
    let receipt = within(sending).await.unwrap();
    assert_eq!((receipt.outcome(), receipt.sessions, receipt.sessions_missed), (Outcome::Delivered, 1, 0));
}

#[tokio::test]
async fn nobody_waits_for_a_session_that_has_ended_where_it_had_arrived() {
    let apart = Apart::new().await;
    let mut new = apart.house.gateway("w2").await;
    let channel = new.bring(&apart.user, apart.state.clone(), 0).await;
    new.opened(channel).await;
    apart.gateway.say(Up::Arrived(Arrived { channel: apart.channel })).await;
    new.say(Up::Gone(Gone { channel, code: 1000, may_resume: false })).await;
    until(async || apart.house.tenant("w2").worker.sessions() == 0).await;
    apart.second_knows_that_it_drains().await;
    let sending = apart.send_and_see_it_wait().await;
    apart.first_knows_it_too().await;
    let receipt = within(sending).await.unwrap();
    assert_eq!((receipt.outcome(), receipt.sessions, receipt.sessions_missed), (Outcome::NoSession, 0, 0));
}

/// The answers to a claim of a worker's life, and what keeps it open.
async fn claim(
    house: &House,
    claimant: Claimant,
) -> (tonic::Streaming<ClaimReply>, tokio::sync::mpsc::Sender<ClaimRequest>) {
    let (requests, receiver) = tokio::sync::mpsc::channel(1);
    let first = claim_request::Request::Claimant(claimant);
    requests.send(ClaimRequest { request: Some(first) }).await.unwrap();
    let mut peer = house.tenant("w1").node.peer();
    let mut replies = peer.claim(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    let noted = within(replies.next()).await.unwrap().unwrap();
    assert!(matches!(noted.reply, Some(claim_reply::Reply::Noted(_))), "{noted:?}");
    (replies, requests)
}

#[tokio::test]
async fn a_worker_that_runs_again_is_told_what_others_hold_when_they_know_of_its_new_life() {
    let house = House::new(1).await;
    let url = "http://127.0.0.1:1".parse().unwrap();
    let member = Member { incarnation: 7, ..Member::new(MemberId::new("w2").unwrap(), url) };
    let _former = house.registry.join(member.clone()).await.unwrap();
    let mut views = house.views.subscribe();
    let view = within(views.wait_for(|view| view.member(&id("w2")).is_some())).await.unwrap().clone();
    let again = Claimant {
        worker: "w2".into(),
        holder_incarnation: 1,
        ring_version: view.version().as_u64(),
        incarnation: 8,
    };
    let (mut replies, _open) = claim(&house, again).await;
    let early = tokio::time::timeout(A_WHILE, replies.next()).await;
    assert!(early.is_err(), "its former life may be found dead yet, and w1 own its users: {early:?}");
    let _again = house.registry.join(Member { incarnation: 8, ..member }).await.unwrap();
    let told = within(replies.next()).await.unwrap().unwrap();
    assert!(matches!(told.reply, Some(claim_reply::Reply::Holding(_))), "{told:?}");
}
