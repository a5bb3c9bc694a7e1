//! Who is online, over real servers: asked, watched by back ends and by clients, exported; also while the ring changes.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use house::{Gateway, House, until, within};
use ringway_dispatch::{Dispatcher, Hops, PresenceFollower};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{
    Arrived, ClientMessage, Deliver, GetPresenceRequest, GetPresenceResponse, Gone, Open, Permissions,
    UserPresence, WatchPresenceRequest,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::Slot;
use ringway_session::presence::Scope;
use ringway_session::{SessionId, UserId, frame};
use ringway_store::{Clock, MemoryPresence, Online, Presence, PresenceExport, StoreError, WorkerLife};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

/// For how long nothing may come where nothing must.
const QUIET: Duration = Duration::from_millis(300);

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

async fn get(house: &House, at: &str, users: &[&str]) -> GetPresenceResponse {
    let mut presence = house.tenant(at).node.presence();
    let users = users.iter().map(ToString::to_string).collect();
    within(presence.get(GetPresenceRequest { users, routing: None })).await.unwrap().into_inner()
}

fn online(answer: &GetPresenceResponse) -> Vec<(&str, bool, u32, &str)> {
    let users = answer.users.iter();
    users
        .map(|UserPresence { user, online, sessions, worker, .. }| {
            (&user[..], *online, *sessions, &worker[..])
        })
        .collect()
}

fn follow(house: &House, scope: Scope, grace: Duration) -> PresenceFollower {
    PresenceFollower::start(Dispatcher::new(house.views.clone(), house.pool.clone()), scope, grace)
}

/// The next change that is told.
async fn next(follower: &PresenceFollower) -> (String, bool) {
    within(async {
        loop {
            let mut changes = follower.next().await.changes;
            if let Some((user, online)) = changes.pop() {
                assert!(changes.is_empty(), "one at a time");
                return (user.to_string(), online);
            }
        }
    })
    .await
}

/// Waits until everything is told, and gives it back.
async fn all(follower: &PresenceFollower) -> Vec<(String, bool)> {
    within(async {
        let mut told = Vec::new();
        loop {
            let news = follower.next().await;
            told.extend(news.changes.into_iter().map(|(user, online)| (user.to_string(), online)));
            if news.complete {
                told.sort();
                return told;
            }
        }
    })
    .await
}

/// Holds that nothing is told for a while.
async fn quiet(follower: &PresenceFollower) {
    let told = async {
        loop {
            let news = follower.next().await;
            assert!(news.changes.is_empty(), "{news:?}");
        }
    };
    tokio::time::timeout(QUIET, told).await.expect_err("it never ends");
}

#[tokio::test]
async fn any_worker_says_of_everybody_whether_they_are_online() {
    let house = House::new(3).await;
    let [first, second] = ["w1", "w2"].map(|worker| house.key_of(worker, "user"));
    let _one = house.client(&first, &[]).await;
    let _two = house.client(&first, &[]).await;
    let away = house.key_of("w3", "away");
    let mut asked = [first.as_str(), second.as_str(), away.as_str()];
    asked.sort_unstable();
    for at in ["w1", "w2", "w3"] {
        let answer = get(&house, at, &[&first, &second, &away, &first]).await;
        let expected = asked.map(|name| {
            let is_online = name == first;
            (name, is_online, if is_online { 2 } else { 0 }, if is_online { "w1" } else { "" })
        });
        assert_eq!(online(&answer), expected, "{at}");
        assert!(answer.undecided.is_empty() && answer.workers_unreached.is_empty());
    }
}

#[tokio::test]
async fn one_call_goes_to_each_owner_and_no_further() {
    let house = House::new(3).await;
    let names: Vec<String> = (0..300).map(|number| format!("user{number}")).collect();
    let before = house.pool.calls();
    let dispatcher = Dispatcher::new(house.views.clone(), house.pool.clone());
    let request = GetPresenceRequest { users: names, routing: None };
    let deadline = Instant::now() + house::DEADLINE;
    let answer = dispatcher.get_presence(&request, Hops::FromClient, deadline).await.unwrap();
    assert_eq!((answer.users.len(), house.pool.calls() - before), (300, 3));
}

#[tokio::test]
async fn users_of_a_worker_that_does_not_answer_are_undecided() {
    let mut house = House::new(2).await;
    let (here, there) = (house.key_of("w1", "user"), house.key_of("w2", "user"));
    house.cut("w2").await;
    let answer = get(&house, "w1", &[&here, &there]).await;
    assert_eq!(online(&answer), [(here.as_str(), false, 0, "")]);
    assert_eq!((answer.undecided, answer.workers_unreached), (vec![there], vec!["w2".to_owned()]));
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let house = House::new(1).await;
    let mut presence = house.tenant("w1").node.presence();
    for users in [vec![], vec![String::new()], vec!["u".to_owned(); 10_001]] {
        let status = presence.get(GetPresenceRequest { users, routing: None }).await.unwrap_err();
        assert_eq!(Refusal::from_status(&status).reason, Reason::InvalidArgument);
    }
    let first = WatchPresenceRequest { watch: vec!["\u{7}".to_owned()], ..WatchPresenceRequest::default() };
    let status = presence.watch(tokio_stream::iter([first])).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).reason, Reason::InvalidArgument);
}

#[tokio::test]
async fn a_change_is_told_once_for_all_devices() {
    let house = House::new(2).await;
    let follower = follow(&house, Scope::Named, Duration::ZERO);
    let alice = user("alice");
    follower.watch([&alice]);
    assert_eq!(all(&follower).await, [("alice".to_owned(), false)]);
    let mut first = house.client("alice", &[]).await;
    assert_eq!(next(&follower).await, ("alice".to_owned(), true));
    let second = first.open_ok("alice", &[]).await;
    first.say(Up::Gone(Gone { channel: 1, code: 1000, may_resume: false })).await;
    quiet(&follower).await;
    first.say(Up::Gone(Gone { channel: second, code: 1000, may_resume: false })).await;
    assert_eq!(next(&follower).await, ("alice".to_owned(), false));
}

#[tokio::test]
async fn everybody_can_be_watched() {
    let house = House::new(3).await;
    let names = ["w1", "w2", "w3"].map(|worker| house.key_of(worker, "user"));
    let mut clients = Vec::new();
    for name in &names {
        clients.push(house.client(name, &[]).await);
    }
    let follower = follow(&house, Scope::Everyone, Duration::ZERO);
    let mut expected: Vec<_> = names.iter().map(|name| (name.clone(), true)).collect();
    expected.sort();
    assert_eq!(all(&follower).await, expected);
    assert_eq!(follower.users(), 3);
    clients[1].say(Up::Gone(Gone { channel: 1, code: 1000, may_resume: false })).await;
    assert_eq!(next(&follower).await, (names[1].clone(), false));
    let late = house.key_of("w2", "late");
    let _late = house.client(&late, &[]).await;
    assert_eq!(next(&follower).await, (late, true));
    assert_eq!(follower.users(), 3);
}

/// A house of one worker with a session whose user will be w2's once there is a w2.
async fn before_the_change() -> (House, Gateway, String, u64) {
    let user = House::new(2).await.key_of("w2", "user");
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok(&user, &[]).await;
    (house, gateway, user, channel)
}

#[tokio::test]
async fn nobody_is_offline_on_the_way_to_another_worker() {
    let (mut house, mut gateway, name, channel) = before_the_change().await;
    let (some, everybody) =
        (follow(&house, Scope::Named, Duration::ZERO), follow(&house, Scope::Everyone, Duration::ZERO));
    some.watch([&user(&name)]);
    for follower in [&some, &everybody] {
        assert_eq!(all(follower).await, [(name.clone(), true)]);
    }
    house.add("w2", |_| {}).await;
    assert_eq!(gateway.told_to_move().await, [channel]);
    for at in ["w1", "w2"] {
        assert_eq!(online(&get(&house, at, &[&name]).await), [(name.as_str(), true, 1, "w2")]);
    }
    let state = gateway.detach(channel).await;
    for follower in [&some, &everybody] {
        quiet(follower).await;
    }
    assert_eq!(online(&get(&house, "w1", &[&name]).await), [(name.as_str(), true, 1, "w2")]);
    let mut new = house.gateway("w2").await;
    let moved = new.bring(&name, state, 0).await;
    new.opened(moved).await;
    gateway.say(Up::Arrived(Arrived { channel })).await;
    for follower in [&some, &everybody] {
        quiet(follower).await;
    }
    new.say(Up::Gone(Gone { channel: moved, code: 1000, may_resume: false })).await;
    for follower in [&some, &everybody] {
        assert_eq!(next(follower).await, (name.clone(), false));
    }
}

/// Short windows, so that what must be waited for is over soon.
fn short(config: &mut ringway_worker::WorkerConfig) {
    config.moves.resume_window = Duration::from_millis(900);
    config.moves.orphan_window = Duration::from_millis(300);
}

#[tokio::test]
async fn the_users_of_a_dead_worker_are_offline_after_the_resume_window() {
    let mut house = House::with(2, short).await;
    let name = house.key_of("w2", "user");
    let _client = house.client(&name, &[]).await;
    let follower = follow(&house, Scope::Named, Duration::from_millis(900));
    follower.watch([&user(&name)]);
    assert_eq!(all(&follower).await, [(name.clone(), true)]);
    let died = Instant::now();
    house.cut("w2").await;
    house.workers.remove(1).lease.leave().await.unwrap();
    let mut views = house.views.subscribe();
    within(views.wait_for(|view| view.workers().len() == 1)).await.unwrap();
    until(async || get(&house, "w1", &[&name]).await.undecided == [name.clone()]).await;
    assert_eq!(next(&follower).await, (name.clone(), false));
    assert!(died.elapsed() >= Duration::from_millis(900), "{:?}", died.elapsed());
    assert_eq!(online(&get(&house, "w1", &[&name]).await), [(name.as_str(), false, 0, "")]);
}

#[tokio::test]
async fn whoever_comes_back_from_a_dead_worker_was_never_offline() {
    let mut house = House::with(2, short).await;
    let name = house.key_of("w2", "user");
    let _client = house.client(&name, &[]).await;
    let follower = follow(&house, Scope::Everyone, Duration::from_millis(900));
    assert_eq!(all(&follower).await, [(name.clone(), true)]);
    house.cut("w2").await;
    house.workers.remove(1).lease.leave().await.unwrap();
    let mut views = house.views.subscribe();
    within(views.wait_for(|view| view.workers().len() == 1)).await.unwrap();
    let _again = house.client(&name, &[]).await;
    let over = tokio::time::sleep(Duration::from_millis(1_500));
    let told = async {
        loop {
            let news = follower.next().await;
            assert!(news.changes.is_empty(), "{news:?}");
        }
    };
    tokio::select! {
        biased;
        () = told => unreachable!("it never ends"),
        () = over => {}
    }
}

/// A client of `ringway.v1.json`, at its user's worker.
async fn framed(house: &House, name: &str) -> Gateway {
    let watch = vec!["*".to_owned()];
    framed_with(house, name, Permissions { watch, ..Permissions::default() }).await
}

async fn framed_with(house: &House, name: &str, permissions: Permissions) -> Gateway {
    let mut gateway = Gateway::attach(&house.owner(name).worker).await;
    let session_id = SessionId::new(Slot::of(name.as_bytes()), u128::from(rand::random::<u64>()));
    let open = Open {
        channel: 1,
        session_id: session_id.to_bytes().to_vec().into(),
        user: name.into(),
        subprotocols: vec![frame::SUBPROTOCOL.into()],
        remote_address: "127.0.0.1:1".into(),
        permissions: Some(permissions),
        ..Open::default()
    };
    gateway.say(Up::Open(open)).await;
    assert_eq!(said(&mut gateway).await["type"], "welcome");
    gateway
}

async fn say(gateway: &Gateway, frame: &Value) {
    let payload = frame.to_string().into();
    gateway.say(Up::Message(ClientMessage { channel: 1, payload, ..ClientMessage::default() })).await;
}

/// The next frame for the client.
async fn said(gateway: &mut Gateway) -> Value {
    loop {
        if let Down::Deliver(Deliver { payload, .. }) = gateway.next().await {
            return serde_json::from_slice(&payload).unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_watches_its_friends() {
    let house = House::new(2).await;
    let friends = ["w1", "w2"].map(|worker| house.key_of(worker, "friend"));
    let _there = house.client(&friends[0], &[]).await;
    let mut alice = framed(&house, "alice").await;
    say(&alice, &json!({ "type": "watch", "users": friends, "ref": "1" })).await;
    assert_eq!(said(&mut alice).await, json!({ "type": "reply", "ref": "1" }));
    let mut states = std::collections::BTreeMap::new();
    while states.len() < 2 {
        let frame = said(&mut alice).await;
        assert_eq!(frame["type"], "presence");
        for state in frame["users"].as_array().unwrap() {
            states.insert(state["user"].as_str().unwrap().to_owned(), state["online"].as_bool().unwrap());
        }
    }
    assert_eq!(states.into_values().collect::<Vec<_>>(), {
        let mut expected = [(&friends[0], true), (&friends[1], false)];
        expected.sort();
        expected.map(|(_, online)| online)
    });
    let mut friend = house.client(&friends[1], &[]).await;
    let told = json!({ "type": "presence", "users": [{ "user": friends[1], "online": true }] });
    assert_eq!(within(said(&mut alice)).await, told);
    say(&alice, &json!({ "type": "unwatch", "users": [friends[0]], "ref": "2" })).await;
    assert_eq!(said(&mut alice).await, json!({ "type": "reply", "ref": "2" }));
    let _second = friend.open_ok(&friends[1], &[]).await;
    for channel in [1, 2] {
        friend.say(Up::Gone(Gone { channel, code: 1000, may_resume: false })).await;
    }
    let told = json!({ "type": "presence", "users": [{ "user": friends[1], "online": false }] });
    assert_eq!(within(said(&mut alice)).await, told, "once, for both devices");
    // Who watches again is told again.
    say(&alice, &json!({ "type": "watch", "users": [friends[0]] })).await;
    let told = json!({ "type": "presence", "users": [{ "user": friends[0], "online": true }] });
    assert_eq!(within(said(&mut alice)).await, told);
}

#[tokio::test]
async fn clients_that_may_not_watch_are_told_so() {
    let house = House::new(1).await;
    let mut alice = framed_with(&house, "alice", Permissions::default()).await;
    say(&alice, &json!({ "type": "watch", "users": ["bob"], "ref": "1" })).await;
    let error = said(&mut alice).await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("not_permitted"), &json!("1")), "{error}");
}

#[tokio::test]
async fn clients_watch_a_bounded_number_of_users() {
    let house = House::with(1, |config| {
        config.policy.watches_per_session_max = 1;
    })
    .await;
    let mut alice = framed(&house, "alice").await;
    say(&alice, &json!({ "type": "watch", "users": ["bob", "carol"] })).await;
    assert_eq!(said(&mut alice).await["code"], "too_many_watches");
}

#[tokio::test]
async fn who_is_online_is_exported_and_taken_away_at_the_end() {
    let export = MemoryPresence::new(Duration::from_secs(1), Clock::system());
    let house = House::exporting(2, &(Arc::new(export.clone()) as Arc<dyn PresenceExport>)).await;
    let names = ["w1", "w2"].map(|worker| house.key_of(worker, "user"));
    let [first, second] = names.clone().map(|name| user(&name));
    let mut one = house.client(&names[0], &[]).await;
    let _more = one.open_ok(&names[0], &[]).await;
    let _two = house.client(&names[1], &[]).await;
    let sessions = async || {
        let found = export.online(&[first.clone(), second.clone()]).await.unwrap();
        found.into_iter().map(|it| it.map(|it| (it.at.worker.to_string(), it.sessions))).collect::<Vec<_>>()
    };
    let at = |worker: &str, sessions| Some((worker.to_owned(), sessions));
    until(async || sessions().await == [at("w1", 2), at("w2", 1)]).await;
    // Longer than the time to live: it is announced again.
    let again = Instant::now() + Duration::from_millis(1_500);
    while Instant::now() < again {
        assert_eq!(sessions().await, [at("w1", 2), at("w2", 1)]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    one.say(Up::Gone(Gone { channel: 1, code: 1000, may_resume: false })).await;
    until(async || sessions().await == [at("w1", 1), at("w2", 1)]).await;
    one.say(Up::Gone(Gone { channel: 2, code: 1000, may_resume: false })).await;
    until(async || sessions().await == [None, at("w2", 1)]).await;
    house.tenant("w2").stop.cancel();
    until(async || sessions().await == [None, None]).await;
}

/// A store that is away at first.
struct Away {
    store: MemoryPresence,
    is_away: AtomicBool,
    attempts: watch::Sender<u32>,
}

#[async_trait::async_trait]
impl PresenceExport for Away {
    fn time_to_live(&self) -> Duration {
        self.store.time_to_live()
    }

    async fn announce(&self, at: &WorkerLife, users: &[Presence]) -> Result<(), StoreError> {
        self.attempts.send_modify(|attempts| *attempts += 1);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable { store: "test", reason: "it is away".to_owned() });
        }
        self.store.announce(at, users).await
    }

    async fn remove(&self, life: &WorkerLife) -> Result<u64, StoreError> {
        self.store.remove(life).await
    }

    async fn online(&self, users: &[UserId]) -> Result<Vec<Option<Online>>, StoreError> {
        self.store.online(users).await
    }
}

#[tokio::test]
async fn what_changes_while_the_store_is_away_is_written_when_it_is_back() {
    let store = MemoryPresence::new(Duration::from_secs(60), Clock::system());
    let away = Arc::new(Away { store, is_away: true.into(), attempts: watch::Sender::new(0) });
    let house = House::exporting(1, &(Arc::clone(&away) as Arc<dyn PresenceExport>)).await;
    let mut alice = house.client("alice", &[]).await;
    let mut attempts = away.attempts.subscribe();
    within(attempts.wait_for(|attempts| *attempts > 0)).await.unwrap();
    // Nobody waits for it meanwhile.
    let _bob = house.client("bob", &[]).await;
    let channel = alice.open_ok("alice", &[]).await;
    alice.say(Up::Gone(Gone { channel, code: 1000, may_resume: false })).await;
    away.is_away.store(false, Ordering::Relaxed);
    until(async || {
        let found = away.store.online(&[user("alice"), user("bob")]).await.unwrap();
        found.iter().map(|it| it.as_ref().map_or(0, |it| it.sessions)).collect::<Vec<_>>() == [1, 1]
    })
    .await;
}
