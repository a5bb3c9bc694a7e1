//! Messages that are stored: over real gRPC between real workers, with mailboxes in memory that can fail.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use house::{Gateway, House, to_user, until, within};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::publish_reply::Result as Answer;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{
    ClientMessage, Guarantee, Open, Outcome, PublishRequest, Receipt, SendToUserRequest, Turn, Written,
};
use ringway_proto::{Reason, Refusal};
use ringway_session::frame::SUBPROTOCOL;
use ringway_worker::{Mailboxes, WorkerConfig};
use serde_json::Value;
use shelf::Shelf;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const WINDOW: Duration = Duration::from_secs(60);

async fn house(workers: usize, shelf: &Arc<Shelf>) -> House {
    House::with(workers, with(shelf)).await
}

fn with(shelf: &Arc<Shelf>) -> impl Fn(&mut WorkerConfig) {
    let shelf = Arc::clone(shelf);
    move |config| config.mailboxes = Some(Mailboxes::new(shelf.clone(), WINDOW))
}

fn stored(user: &str, id: &str) -> SendToUserRequest {
    let mut request = to_user(user, id);
    let message = request.message.as_mut().unwrap();
    (message.message_id, message.guarantee) = (id.to_owned(), Guarantee::AtLeastOnce.into());
    request
}

async fn send(house: &House, request: SendToUserRequest) -> Receipt {
    let mut delivery = house.owner(&request.user).node.delivery();
    within(delivery.send_to_user(request)).await.unwrap().into_inner()
}

async fn refused(house: &House, request: SendToUserRequest) -> Reason {
    let mut delivery = house.owner(&request.user).node.delivery();
    Refusal::from_status(&within(delivery.send_to_user(request)).await.unwrap_err()).reason
}

/// A client that speaks the subprotocol.
struct Client {
    gateway: Gateway,
    channel: u64,
    /// Where it is in the mailbox, as its last frame said.
    place: String,
    offset: u64,
}

impl Client {
    /// A device of a user, which says what it has of the mailbox if it knows.
    async fn device(house: &House, user: &str, device: &str, place: Option<&str>) -> Client {
        let mut gateway = Gateway::attach(&house.owner(user).worker).await;
        let place = place.map(|place| place.parse::<ringway_session::MailboxPlace>().unwrap());
        let mailbox =
            place.map(|place| ringway_proto::v1::MailboxPlace { epoch: place.epoch, offset: place.offset });
        let (user, device) = (user.to_owned(), device.to_owned());
        let subprotocols = vec![SUBPROTOCOL.to_owned()];
        let channel = gateway.ask(Open { user, device, mailbox, subprotocols, ..Open::default() }).await;
        Client { gateway, channel, place: String::new(), offset: 0 }
    }

    /// The next frame, a message or a mailbox.
    async fn frame(&mut self) -> Value {
        loop {
            let Down::Deliver(deliver) = self.gateway.next().await else { continue };
            let tail = std::str::from_utf8(&deliver.payload).unwrap();
            let text = match deliver.offsets.first() {
                Some(offset) => ringway_session::frame::numbered(*offset, tail),
                None => tail.to_owned(),
            };
            let frame: Value = serde_json::from_str(&text).unwrap();
            match frame["type"].as_str().unwrap() {
                "welcome" => continue,
                "message" => {
                    self.offset = frame["offset"].as_u64().unwrap();
                    self.place = frame["stored"].as_str().unwrap_or(&self.place).to_owned();
                }
                _ => {
                    self.offset = frame["offset"].as_u64().unwrap();
                    self.place = frame["place"].as_str().unwrap().to_owned();
                }
            }
            return frame;
        }
    }

    async fn recovered(&mut self) -> bool {
        let frame = self.frame().await;
        assert_eq!(frame["type"], "mailbox", "{frame}");
        frame["recovered"].as_bool().unwrap()
    }

    async fn messages(&mut self, ids: &[&str]) {
        for id in ids {
            let frame = self.frame().await;
            assert_eq!((&frame["type"], &frame["id"]), (&"message".into(), &(*id).into()), "{frame}");
        }
    }

    async fn acknowledge(&self) {
        let (channel, offset) = (self.channel, self.offset);
        let payload = format!("{{\"type\":\"ack\",\"offset\":{offset}}}").into();
        self.gateway.say(Up::Message(ClientMessage { channel, payload, ..ClientMessage::default() })).await;
    }

    /// Nothing has come but what was asked for: what is sent now comes next.
    async fn nothing_else(&mut self, house: &House, user: &str) {
        send(house, to_user(user, "the last")).await;
        let frame = self.frame().await;
        assert_eq!(frame["data"], "the last", "{frame}");
    }
}

#[tokio::test]
async fn what_is_sent_to_nobody_waits_for_whoever_comes() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(3, &shelf).await;
    for (id, offset) in [("a", 1), ("b", 2)] {
        let receipt = send(&house, stored(user, id)).await;
        assert_eq!(
            (receipt.outcome(), receipt.sessions, receipt.stored_offset),
            (Outcome::Stored, 0, offset)
        );
    }
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    phone.messages(&["a", "b"]).await;
    let receipt = send(&house, stored(user, "c")).await;
    assert_eq!((receipt.outcome(), receipt.sessions, receipt.stored_offset), (Outcome::Delivered, 1, 3));
    phone.messages(&["c"]).await;
    phone.nothing_else(&house, user).await;
}

#[tokio::test]
async fn it_is_stored_from_whom_it_is() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(1, &shelf).await;
    let of_bob = |id| {
        let mut request = stored(user, id);
        request.message.as_mut().unwrap().from_user = "bob".to_owned();
        request
    };
    send(&house, of_bob("before")).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    send(&house, of_bob("after")).await;
    for id in ["before", "after"] {
        let frame = phone.frame().await;
        assert_eq!((&frame["id"], &frame["from"]), (&id.into(), &"bob".into()), "{frame}");
    }
}

#[tokio::test]
async fn each_device_has_its_own_position() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    let mut laptop = Client::device(&house, user, "laptop", None).await;
    assert!(phone.recovered().await && laptop.recovered().await);
    for id in ["a", "b"] {
        send(&house, stored(user, id)).await;
    }
    phone.messages(&["a", "b"]).await;
    laptop.messages(&["a", "b"]).await;
    phone.acknowledge().await;
    until(async || shelf.position(user, "phone").await == Some(2)).await;
    let (phone_place, laptop_place) = (phone.place.clone(), laptop.place.clone());
    drop((phone, laptop));
    send(&house, stored(user, "c")).await;

    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    assert_eq!(phone.place, phone_place);
    phone.messages(&["c"]).await;
    let mut laptop = Client::device(&house, user, "laptop", None).await;
    assert!(laptop.recovered().await, "it has acknowledged nothing, and says nothing: all comes again");
    laptop.messages(&["a", "b", "c"]).await;
    let mut laptop = Client::device(&house, user, "laptop", Some(&laptop_place)).await;
    assert!(laptop.recovered().await);
    laptop.messages(&["c"]).await;
    let mut tablet = Client::device(&house, user, "tablet", None).await;
    assert!(tablet.recovered().await);
    tablet.messages(&["a", "b", "c"]).await;
}

#[tokio::test]
async fn a_message_is_known_by_its_id() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    let first = send(&house, stored(user, "a")).await;
    assert_eq!((first.stored_offset, first.is_duplicate), (1, false));
    let mut other = house.other(user).node.delivery();
    let again = other.send_to_user(stored(user, "a")).await.unwrap().into_inner();
    assert_eq!((again.outcome(), again.stored_offset, again.is_duplicate), (Outcome::Stored, 1, true));
    phone.messages(&["a"]).await;
    phone.nothing_else(&house, user).await;
}

#[tokio::test]
async fn a_sender_can_wait_for_the_acknowledgement() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let wait = |wait_acknowledged_ms, id| SendToUserRequest { wait_acknowledged_ms, ..stored(user, id) };
    let receipt = send(&house, wait(10, "a")).await;
    assert_eq!((receipt.outcome(), receipt.is_acknowledged), (Outcome::Stored, false));
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    phone.messages(&["a"]).await;
    let mut delivery = house.other(user).node.delivery();
    let waiting = tokio::spawn(async move { delivery.send_to_user(wait(60_000, "b")).await });
    phone.messages(&["b"]).await;
    assert!(!waiting.is_finished());
    phone.acknowledge().await;
    let receipt = within(waiting).await.unwrap().unwrap().into_inner();
    assert_eq!((receipt.outcome(), receipt.is_acknowledged), (Outcome::Delivered, true));
    // Whoever sends it once more, because the answer was lost, need not wait for what has happened.
    let again = within(send(&house, wait(60_000, "b"))).await;
    assert_eq!((again.is_duplicate, again.is_acknowledged), (true, true));
}

#[tokio::test]
async fn a_message_for_whoever_takes_it_first_is_withdrawn_from_the_others() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut laptop = Client::device(&house, user, "laptop", None).await;
    assert!(laptop.recovered().await);
    drop(laptop);
    let mut request = stored(user, "first");
    request.message.as_mut().unwrap().until_first_ack = true;
    send(&house, request).await;
    send(&house, stored(user, "all")).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    phone.messages(&["first", "all"]).await;
    phone.acknowledge().await;
    until(async || shelf.withdrawn() == [1]).await;
    let mut laptop = Client::device(&house, user, "laptop", None).await;
    assert!(laptop.recovered().await);
    laptop.messages(&["all"]).await;
}

#[tokio::test]
async fn a_raw_client_has_what_was_written_to_it() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    send(&house, stored(user, "a")).await;
    let mut raw = house.client(user, &[]).await;
    assert_eq!(raw.message().await.1, "a");
    assert_eq!(shelf.position(user, "default").await, Some(0));
    raw.say(Up::Written(Written { channels: vec![1], bytes: vec![1 + 64] })).await;
    until(async || shelf.position(user, "default").await == Some(1)).await;
    drop(raw);
    send(&house, stored(user, "b")).await;
    let mut raw = house.client(user, &[]).await;
    assert_eq!(raw.message().await.1, "b");
}

#[tokio::test]
async fn without_mailboxes_it_is_refused() {
    let house = House::new(2).await;
    assert_eq!(refused(&house, stored("alice", "a")).await, Reason::NoMailboxes);
    let mut group = house::to_group("room", "a");
    group.message.as_mut().unwrap().guarantee = Guarantee::AtLeastOnce.into();
    let status = house.workers[0].node.delivery().send_to_group(group).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).reason, Reason::InvalidArgument);
}

#[tokio::test]
async fn a_store_that_fails_loses_nothing_and_takes_nothing_from_the_others() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    shelf.fail(Some(shelf::away()));
    assert_eq!(refused(&house, stored(user, "a")).await, Reason::StoreUnavailable);
    shelf.fail(Some(shelf::full()));
    assert_eq!(refused(&house, stored(user, "a")).await, Reason::StoreFull);
    send(&house, to_user(user, "not stored")).await;
    assert_eq!(phone.frame().await["data"], "not stored");
    let mut laptop = Client::device(&house, user, "laptop", None).await;
    shelf.fail(None);
    assert_eq!(send(&house, stored(user, "a")).await.stored_offset, 1);
    phone.messages(&["a"]).await;
    assert!(laptop.recovered().await);
    laptop.messages(&["a"]).await;
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_found_again() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    shelf.lose_answers(1);
    assert_eq!(refused(&house, stored(user, "a")).await, Reason::StoreUnavailable);
    let receipt = send(&house, stored(user, "a")).await;
    assert_eq!((receipt.stored_offset, receipt.is_duplicate), (1, true));
    send(&house, stored(user, "b")).await;
    phone.messages(&["a", "b"]).await;
    phone.nothing_else(&house, user).await;
}

#[tokio::test]
async fn a_history_that_is_lost_is_told() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    send(&house, stored(user, "a")).await;
    phone.messages(&["a"]).await;
    shelf.lose_everything();
    let receipt = send(&house, stored(user, "b")).await;
    assert_eq!(receipt.stored_offset, 1);
    assert!(!phone.recovered().await);
    phone.messages(&["b"]).await;
}

#[tokio::test]
async fn nobody_overtakes_on_a_stream_that_the_store_refuses() {
    let (shelf, user) = (Shelf::new(), "alice");
    let house = house(2, &shelf).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    let (requests, receiver) = mpsc::channel(64);
    let request = |sequence, turn: Turn| {
        let send = Some(Send::ToUser(stored(user, &format!("m{sequence}"))));
        PublishRequest { sequence, send, turn: turn.into() }
    };
    let mut publishing = house.other(user).node.delivery();
    let mut replies = publishing.publish(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    shelf.fail_once(shelf::away());
    requests.send(request(1, Turn::First)).await.unwrap();
    for sequence in 2..=9 {
        requests.send(request(sequence, Turn::Follows)).await.unwrap();
    }
    let mut reasons = vec![];
    for _ in 1..=9 {
        let reply = within(replies.message()).await.unwrap().unwrap();
        let Some(Answer::Error(error)) = reply.result else { panic!("{reply:?}") };
        reasons.push((reply.sequence, error.reason));
    }
    assert_eq!(reasons.remove(0), (1, "STORE_UNAVAILABLE".to_owned()));
    assert!(reasons.iter().all(|(_, reason)| reason == "OUT_OF_TURN"), "{reasons:?}");
    requests.send(request(1, Turn::First)).await.unwrap();
    for sequence in 2..=9 {
        requests.send(request(sequence, Turn::Follows)).await.unwrap();
    }
    phone.messages(&["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"]).await;
}

#[tokio::test]
async fn a_slow_client_costs_no_memory_and_gets_everything() {
    let (shelf, user) = (Shelf::new(), "alice");
    let small = |config: &mut WorkerConfig| {
        config.policy.queue_bytes_max = 4_000;
        with(&shelf)(config);
    };
    let house = House::with(2, small).await;
    let mut phone = Client::device(&house, user, "phone", None).await;
    assert!(phone.recovered().await);
    let names: Vec<String> = (0..300).map(|number| format!("{number:0100}")).collect();
    for name in &names {
        send(&house, stored(user, name)).await;
    }
    for (count, name) in (1..).zip(&names) {
        phone.messages(&[name]).await;
        if count % 3 == 0 {
            phone.acknowledge().await;
        }
    }
}

#[tokio::test]
async fn a_session_that_moves_goes_on_where_it_was() {
    let (shelf, change) = (Shelf::new(), with);
    let mut house = house(1, &shelf).await;
    let view_then = house.views.current();
    house.add("w2", change(&shelf)).await;
    let user = house.key_of("w2", "user");
    house.tenant("w2").lease.update(idle(&house, "w2")).await.unwrap();
    until(async || house.views.current().version() == view_then.version()).await;

    let mut phone = Client::device(&house, &user, "phone", None).await;
    assert!(phone.recovered().await);
    send(&house, stored(&user, "a")).await;
    phone.messages(&["a"]).await;
    house.tenant("w2").lease.update(active(&house, "w2")).await.unwrap();
    assert_eq!(phone.gateway.told_to_move().await, [phone.channel]);
    // While it is between the workers, its new owner stores.
    until(async || house.owner(&user).worker.id().as_str() == "w2").await;
    assert_eq!(send(&house, stored(&user, "b")).await.stored_offset, 2);
    let state = phone.gateway.detach(phone.channel).await;
    let mut next = house.gateway("w2").await;
    let channel = next.bring(&user, state, phone.offset).await;
    let mut phone = Client { gateway: next, channel, ..phone };
    phone.messages(&["b"]).await;
    send(&house, stored(&user, "c")).await;
    phone.messages(&["c"]).await;
    phone.acknowledge().await;
    until(async || shelf.position(&user, "phone").await == Some(3)).await;
    phone.nothing_else(&house, &user).await;
}

/// The owner changes while the store is about to answer: the new one is told, and its session has the message.
#[tokio::test]
async fn what_the_former_owner_has_stored_comes_through_the_new_one() {
    let (shelf, change) = (Shelf::new(), with);
    let mut house = house(1, &shelf).await;
    let view_then = house.views.current();
    house.add("w2", change(&shelf)).await;
    let user = house.key_of("w2", "user");
    house.tenant("w2").lease.update(idle(&house, "w2")).await.unwrap();
    until(async || house.views.current().version() == view_then.version()).await;

    let held = shelf.hold();
    let mut delivery = house.owner(&user).node.delivery();
    let request = stored(&user, "a");
    let sending = tokio::spawn(async move { delivery.send_to_user(request).await });
    held.waiting().await;
    house.tenant("w2").lease.update(active(&house, "w2")).await.unwrap();
    until(async || house.owner(&user).worker.id().as_str() == "w2").await;
    let mut phone = Client::device(&house, &user, "phone", None).await;
    assert!(phone.recovered().await);
    assert_eq!(phone.place.rsplit_once('.').unwrap().1, "0", "nothing is stored yet");
    held.let_go();
    let receipt = within(sending).await.unwrap().unwrap().into_inner();
    assert_eq!((receipt.outcome(), receipt.stored_offset), (Outcome::Stored, 1));
    phone.messages(&["a"]).await;
    phone.nothing_else(&house, &user).await;
}

fn idle(house: &House, worker: &str) -> ringway_cluster::Member {
    let member = house.views.current().member(&house::id(worker)).unwrap().clone();
    ringway_cluster::Member { state: ringway_cluster::MemberState::Joining, ..member }
}

fn active(house: &House, worker: &str) -> ringway_cluster::Member {
    let member = house.views.current().member(&house::id(worker)).unwrap().clone();
    ringway_cluster::Member { state: ringway_cluster::MemberState::Active, ..member }
}
