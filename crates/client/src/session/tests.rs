//! Histories as tables: an event, and what it gives.

use proptest::prelude::*;

use super::*;
use crate::config::BackoffConfig;
use crate::frame::{Content, Mailbox, Presence};

/// A client with a clock.
struct Desk {
    session: ClientSession,
    now: Instant,
}

fn welcome(epoch: &str, offset: u64, recovered: bool) -> String {
    format!(
        r#"{{"type":"welcome","session":"s","resume":"{epoch}-{offset}","epoch":"{epoch}","offset":{offset},"recovered":{recovered},"resume_window_ms":30000,"ack_within_ms":1000}}"#
    )
}

fn message(offset: u64) -> String {
    format!(r#"{{"type":"message","offset":{offset},"id":"m{offset}","data":{offset}}}"#)
}

fn ack(offset: u64) -> String {
    format!("send ack {offset}")
}

/// An action in a few words.
fn told(action: &Action) -> String {
    match action {
        Action::Connect(Continuation { resume, device: None, mailbox: None }) => match resume {
            None => "connect".to_owned(),
            Some(Resume { token, offset, attempt: _ }) => format!("connect {token} from {offset}"),
        },
        Action::Connect(continuation) => format!("connect with {:?}", continuation.parameters()),
        Action::Mailbox(Mailbox { place, recovered, .. }) => format!("mailbox {place} recovered {recovered}"),
        Action::Send(text) => {
            let ack: serde_json::Value = serde_json::from_str(text).unwrap();
            format!("send {} {}", ack["type"].as_str().unwrap(), ack["offset"])
        }
        Action::Close(code) => format!("close {code}"),
        Action::Welcomed(_, continuity) => format!("{continuity:?}").to_lowercase(),
        Action::Deliver(message) => format!("deliver {}", message.offset),
        Action::Presence(users) => {
            let user = |user: &Presence| format!("{} is online: {}", user.user, user.online);
            users.iter().map(user).collect::<Vec<_>>().join(", ")
        }
        Action::Missed(offsets) => format!("missed {} to {}", offsets.start(), offsets.end()),
        Action::Replied(reply) => format!("replied {}", reply.reference),
        Action::Rejected(error) => format!("rejected {}", error.code),
        Action::Unanswered(reference) => format!("unanswered {reference}"),
        Action::Wait(_) => "wait".to_owned(),
        Action::RefreshToken => "refresh".to_owned(),
        Action::End(end) => format!("end {end:?}").to_lowercase(),
    }
}

impl Desk {
    fn new(config: ClientConfig) -> Self {
        let now = Instant::now();
        Desk { session: ClientSession::new(config, 7, now), now }
    }

    /// A client that has been welcomed and has the messages up to this offset, all acknowledged.
    fn open(offset: u64) -> Self {
        let mut desk = Desk::new(ClientConfig::default());
        desk.check(Event::Tick, &["connect"]);
        desk.check(Event::Opened, &[]);
        desk.check(Event::Text(&welcome("e", 0, false)), &["new"]);
        for offset in 1..=offset {
            desk.check(Event::Text(&message(offset)), &[&format!("deliver {offset}")]);
        }
        desk.later(Duration::from_millis(500));
        if offset > 0 {
            desk.check(Event::Tick, &[&ack(offset)]);
        }
        desk
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<String> {
        self.session.handle(self.now, event).iter().map(told).collect()
    }

    fn check(&mut self, event: Event<'_>, expected: &[&str]) {
        assert_eq!(self.handle(event), expected, "{event:?}");
    }

    fn later(&mut self, time: Duration) {
        self.now += time;
    }

    /// Goes to the deadline, which must be there, and ticks; says how long that took.
    fn tick(&mut self, expected: &[&str]) -> Duration {
        let deadline = self.session.deadline().expect("a deadline");
        let waited = deadline.saturating_duration_since(self.now);
        self.now = deadline.max(self.now);
        self.check(Event::Tick, expected);
        waited
    }

    /// Loses the socket and comes back with a welcome.
    fn comes_back(&mut self, connect: &str, welcome: &str, expected: &[&str]) {
        self.check(Event::Closed(CloseCode::ABNORMAL), &["wait"]);
        self.tick(&[connect]);
        self.check(Event::Opened, &[]);
        self.check(Event::Text(welcome), expected);
    }
}

#[test]
fn messages_are_acknowledged_together_in_half_the_time() {
    let mut desk = Desk::open(0);
    assert_eq!(desk.session.deadline(), None);
    desk.check(Event::Text(&message(1)), &["deliver 1"]);
    desk.later(Duration::from_millis(400));
    desk.check(Event::Text(&message(2)), &["deliver 2"]);
    desk.check(Event::Tick, &[]);
    assert_eq!(desk.tick(&[&ack(2)]), Duration::from_millis(100));
    assert_eq!(desk.session.deadline(), None);
}

#[test]
fn many_messages_or_bytes_are_acknowledged_at_once() {
    let mut desk = Desk::open(0);
    for offset in 1..256 {
        desk.check(Event::Text(&message(offset)), &[&format!("deliver {offset}")]);
    }
    desk.check(Event::Text(&message(256)), &["deliver 256", &ack(256)]);
    let large = format!(r#"{{"type":"message","offset":257,"id":"m","data":"{}"}}"#, "x".repeat(64 * 1024));
    desk.check(Event::Text(&large), &["deliver 257", &ack(257)]);
}

#[test]
fn a_broken_socket_is_followed_by_another_that_goes_on() {
    let mut desk = Desk::open(2);
    desk.check(Event::Text(&message(3)), &["deliver 3"]);
    // The handshake acknowledges what was not yet acknowledged.
    desk.comes_back("connect e-0 from 3", &welcome("e", 3, true), &["recovered"]);
    assert_eq!(desk.session.deadline(), None);
    desk.check(Event::Text(&message(4)), &["deliver 4"]);
    desk.tick(&[&ack(4)]);
    desk.comes_back("connect e-3 from 4", &welcome("e", 4, true), &["recovered"]);
}

#[test]
fn nothing_is_delivered_twice_and_no_hole_is_silent() {
    // (welcome, what it gives, message, what it gives), of a client that has offsets 1 to 3 of epoch e
    type Case<'a> = ((&'a str, u64, bool), &'a [&'a str], u64, &'a [&'a str]);
    let cases: [Case<'_>; 8] = [
        (("e", 3, true), &["recovered"], 4, &["deliver 4"]),
        (("e", 1, true), &["recovered"], 3, &[]),
        (("e", 1, true), &["recovered"], 4, &["deliver 4"]),
        (("e", 3, true), &["recovered"], 6, &["missed 4 to 5", "deliver 6"]),
        (("e", 5, false), &["lost", "missed 4 to 5"], 6, &["deliver 6"]),
        (("f", 0, false), &["lost"], 1, &["deliver 1"]),
        (("f", 9, false), &["lost"], 10, &["deliver 10"]),
        (("f", 0, true), &["lost"], 2, &["missed 1 to 1", "deliver 2"]),
    ];
    for ((epoch, offset, recovered), welcomed, then, expected) in cases {
        let mut desk = Desk::open(3);
        desk.comes_back("connect e-0 from 3", &welcome(epoch, offset, recovered), welcomed);
        desk.check(Event::Text(&message(then)), expected);
    }
}

fn stored(offset: u64, place: &str) -> String {
    format!(r#"{{"type":"message","offset":{offset},"id":"m","stored":"{place}","data":{offset}}}"#)
}

#[test]
fn what_is_stored_is_delivered_once_however_often_it_comes() {
    let (then, now) = ("000000000000000a", "000000000000000b");
    let config = ClientConfig { device: Some("phone".to_owned()), ..ClientConfig::default() };
    let mut desk = Desk::new(config);
    desk.check(Event::Tick, &[r#"connect with [("device", "phone")]"#]);
    desk.check(Event::Opened, &[]);
    desk.check(Event::Text(&welcome("e", 0, false)), &["new"]);
    let mailbox = |number: u64, epoch: &str, offset: u64, recovered: bool| {
        format!(
            r#"{{"offset":{number},"type":"mailbox","place":"{epoch}.{offset}","recovered":{recovered}}}"#
        )
    };
    let at = |epoch: &str, offset: u64| format!("{epoch}.{offset}");
    desk.check(Event::Text(&mailbox(1, then, 4, true)), &[&format!("mailbox {then}.4 recovered true")]);
    desk.check(Event::Text(&mailbox(1, then, 4, true)), &[]);
    desk.check(Event::Text(&stored(2, &at(then, 5))), &["deliver 2"]);
    desk.check(Event::Text(&stored(3, &at(then, 5))), &[]);
    desk.check(Event::Text(&message(4)), &["deliver 4"]);
    desk.check(Event::Text(&stored(5, &at(then, 6))), &["deliver 5"]);
    desk.check(Event::Text(&mailbox(6, then, 4, true)), &[&format!("mailbox {then}.4 recovered true")]);
    desk.check(Event::Text(&stored(7, &at(then, 6))), &[]);
    assert_eq!(desk.session.mailbox().map(|place| place.offset), Some(6));
    desk.tick(&[&ack(7)]);
    desk.comes_back(
        &format!(
            r#"connect with [("resume", "e-0"), ("offset", "7"), ("attempt", "2"), ("device", "phone"), ("mailbox", "{then}.6")]"#
        ),
        &welcome("f", 0, false),
        &["lost"],
    );
    desk.check(Event::Text(&mailbox(1, now, 0, false)), &[&format!("mailbox {now}.0 recovered false")]);
    desk.check(Event::Text(&stored(2, &at(now, 1))), &["deliver 2"]);
}

#[test]
fn close_codes_and_refusals_are_obeyed() {
    let closed = |code| Event::Closed(CloseCode::from_u16(code));
    for code in [1001, 1006, 1011, 1012, 1013, 4000] {
        Desk::open(1).check(closed(code), &["wait"]);
    }
    for code in [1000, 1008, 4400, 4401] {
        Desk::open(1).check(closed(code), &[&format!("end closed(closecode({code}))")]);
    }
    let mut desk = Desk::open(1);
    desk.check(closed(4300), &["refresh"]);
    assert_eq!(desk.session.deadline(), None);
    desk.check(Event::TokenRefreshed, &["wait"]);
    desk.tick(&["connect e-0 from 1"]);
    let refusal = |status, close_code: u16| {
        let close_code = (close_code != 0).then(|| CloseCode::from_u16(close_code));
        Refusal { status, retry_after: None, close_code }
    };
    let cases = [
        (refusal(503, 0), "wait"),
        (refusal(429, 0), "wait"),
        (refusal(401, 0), "refresh"),
        (refusal(403, 0), "end refused(403)"),
        (refusal(404, 0), "end refused(404)"),
        (refusal(409, 1013), "wait"),
        (refusal(409, 4400), "end refused(409)"),
    ];
    for (refusal, expected) in cases {
        let mut desk = Desk::new(ClientConfig::default());
        desk.check(Event::Tick, &["connect"]);
        desk.check(Event::Refused(refusal), &[expected]);
    }
}

#[test]
fn delays_are_what_was_asked_for() {
    let config = BackoffConfig::default();
    let asked = r#"{"type":"reconnect","delay_ms":7000}"#;
    let mut desk = Desk::open(1);
    desk.check(Event::Text(asked), &[]);
    desk.check(Event::Closed(CloseCode::GOING_AWAY), &["wait"]);
    assert_eq!(desk.tick(&["connect e-0 from 1"]), Duration::from_secs(7));
    // It was asked for once: the next delay is the client's own.
    desk.check(Event::Unreachable, &["wait"]);
    assert!(desk.tick(&["connect e-0 from 1"]) <= config.first);
    let retry_after = Some(Duration::from_secs(20));
    desk.check(Event::Refused(Refusal { status: 503, retry_after, close_code: None }), &["wait"]);
    let waited = desk.tick(&["connect e-0 from 1"]);
    assert!(waited >= Duration::from_secs(20) && waited <= Duration::from_secs(30), "{waited:?}");
    // What the server asks for is no reason to come back where one may not.
    let mut desk = Desk::open(1);
    desk.check(Event::Text(asked), &[]);
    desk.check(Event::Closed(CloseCode::REPLACED), &["end closed(closecode(4400))"]);
}

#[test]
fn a_client_that_shall_not_reconnect_does_not() {
    let config = ClientConfig { reconnect: Reconnect::Never, ..ClientConfig::default() };
    let mut desk = Desk::new(config.clone());
    desk.check(Event::Tick, &["connect"]);
    desk.check(Event::Unreachable, &["end unreachable"]);
    let mut desk = Desk::new(config);
    desk.check(Event::Tick, &["connect"]);
    desk.check(Event::Opened, &[]);
    desk.check(Event::Closed(CloseCode::RESTART), &["end closed(closecode(1012))"]);
    desk.check(Event::Tick, &[]);
}

#[test]
fn a_server_that_does_not_speak_the_protocol_is_left() {
    for text in ["hello", &message(1), r#"{"type":"welcome"}"#] {
        let mut desk = Desk::new(ClientConfig::default());
        desk.check(Event::Tick, &["connect"]);
        desk.check(Event::Opened, &[]);
        let told = desk.handle(Event::Text(text));
        assert!(told[0] == "close 1002" && told[1].starts_with("end protocol"), "{text}: {told:?}");
    }
    let second = welcome("e", 0, false);
    for event in [Event::Text(&second), Event::Text("?"), Event::Binary] {
        let told = Desk::open(1).handle(event);
        assert!(told[0] == "close 1002" && told[1].starts_with("end protocol"), "{told:?}");
    }
}

#[test]
fn a_server_that_does_not_welcome_is_tried_again() {
    let mut desk = Desk::new(ClientConfig::default());
    desk.check(Event::Tick, &["connect"]);
    desk.check(Event::Opened, &[]);
    assert_eq!(desk.tick(&["close 1001", "wait"]), Duration::from_secs(10));
}

#[test]
fn what_is_new_is_passed_over_and_errors_are_told() {
    let mut desk = Desk::open(1);
    desk.check(Event::Text(r#"{"type":"weather","sky":"clear"}"#), &[]);
    let error = r#"{"type":"error","code":"unknown_type","message":"?","more":1}"#;
    desk.check(Event::Text(error), &["rejected unknown_type"]);
}

#[test]
fn who_leaves_acknowledges_and_closes() {
    let left = "end left";
    let mut desk = Desk::open(1);
    desk.check(Event::Text(&message(2)), &["deliver 2"]);
    desk.check(Event::Leave, &[&ack(2), "close 1000", left]);
    desk.check(Event::Text(&message(3)), &[]);
    assert_eq!(desk.session.deadline(), None);
    Desk::open(1).check(Event::Leave, &["close 1000", left]);
    Desk::new(ClientConfig::default()).check(Event::Leave, &[left]);
}

#[test]
fn content_is_as_it_was_written() {
    let mut desk = Desk::open(0);
    let text = r#"{"type":"message","offset":1,"id":"m","data":{"a" : 1.50}}"#;
    let actions = desk.session.handle(desk.now, Event::Text(text));
    let Action::Deliver(message) = &actions[0] else { panic!("{actions:?}") };
    assert_eq!(message.content, Content::Data(r#"{"a" : 1.50}"#.to_owned()));
    assert_eq!(message.topic, "");
}

fn join() -> ClientFrame {
    ClientFrame::Join { group: ringway_session::GroupId::new("room").unwrap() }
}

fn reply(reference: &str) -> String {
    format!(r#"{{"type":"reply","ref":"{reference}"}}"#)
}

fn refusal(reference: &str) -> String {
    format!(r#"{{"type":"error","ref":"{reference}","code":"not_permitted","message":"no"}}"#)
}

#[test]
fn each_request_has_its_answer() {
    let mut desk = Desk::open(0);
    let expected = Request { reference: "#1".into(), text: join().text(Some("#1")) };
    assert_eq!(desk.session.request(&join()), Ok(expected));
    assert_eq!(desk.session.request(&join()).unwrap().reference, "#2");
    desk.check(Event::Text(&refusal("#2")), &["rejected not_permitted"]);
    desk.check(Event::Text(&reply("#1")), &["replied #1"]);
    desk.check(Event::Text(&reply("#1")), &[]);
    desk.check(Event::Text(&refusal("#7")), &[]);
    // Who writes frames of its own hears of them, too.
    desk.check(Event::Text(&reply("mine")), &["replied mine"]);
    desk.check(Event::Text(&refusal("mine")), &["rejected not_permitted"]);
}

#[test]
fn whom_it_watches_is_told_as_it_comes() {
    let mut desk = Desk::open(0);
    let watch = ClientFrame::Watch { users: vec![ringway_session::UserId::new("bob").unwrap()] };
    let text = r##"{"type":"watch","ref":"#1","users":["bob"]}"##.to_owned();
    assert_eq!(desk.session.request(&watch), Ok(Request { reference: "#1".into(), text }));
    desk.check(Event::Text(&reply("#1")), &["replied #1"]);
    for online in [true, false] {
        let text = format!(r#"{{"type":"presence","users":[{{"user":"bob","online":{online}}}]}}"#);
        desk.check(Event::Text(&text), &[&format!("bob is online: {online}")]);
    }
}

#[test]
fn a_request_without_an_answer_is_told_when_the_socket_goes() {
    let mut desk = Desk::open(0);
    desk.session.request(&join()).unwrap();
    desk.session.request(&join()).unwrap();
    desk.check(Event::Text(&reply("#1")), &["replied #1"]);
    desk.check(Event::Closed(CloseCode::ABNORMAL), &["unanswered #2", "wait"]);
    assert_eq!(desk.session.request(&join()), Err(NotSent::NotConnected));
    desk.later(Duration::from_secs(60));
    desk.check(Event::Tick, &["connect e-0 from 0"]);
    desk.check(Event::Opened, &[]);
    assert_eq!(desk.session.request(&join()), Err(NotSent::NotConnected));
    desk.check(Event::Text(&welcome("e", 0, true)), &["recovered"]);
    desk.check(Event::Text(&reply("#2")), &[]);
    assert_eq!(desk.session.request(&join()).unwrap().reference, "#3");
    desk.check(Event::Text("?"), &["close 1002", "unanswered #3", &desk_end()]);

    let mut desk = Desk::open(0);
    desk.session.request(&join()).unwrap();
    desk.check(Event::Leave, &["close 1000", "unanswered #1", "end left"]);
}

fn desk_end() -> String {
    let why = ServerFrame::read("?").unwrap_err().to_string();
    format!("end {:?}", End::Protocol(why)).to_lowercase()
}

#[test]
fn so_many_requests_may_wait() {
    let mut desk = Desk::open(0);
    let max = ClientConfig::default().requests_max;
    for _ in 0..max {
        desk.session.request(&join()).unwrap();
    }
    assert_eq!(desk.session.request(&join()), Err(NotSent::TooMany { max }));
    desk.check(Event::Text(&reply("#1")), &["replied #1"]);
    assert!(desk.session.request(&join()).is_ok());
}

fn any_event() -> impl Strategy<Value = (u8, u64, u16)> {
    (0..9_u8, 0..12_u64, prop_oneof![Just(1006), Just(1012), Just(1013), Just(4300), Just(4401)])
}

proptest! {
    /// Whatever happens: nothing twice, nothing out of order, no acknowledgement of what was not delivered, and never
    /// stuck without a deadline where nothing else can happen.
    #[test]
    fn the_laws_hold(events in proptest::collection::vec(any_event(), 0..80)) {
        let mut desk = Desk::new(ClientConfig::default());
        let (mut epoch, mut last) = (String::new(), 0);
        for (which, number, code) in events {
            let text = match which {
                0 => welcome("e", number, number % 2 == 0),
                1 => welcome(&format!("f{number}"), 0, false),
                _ => message(number),
            };
            let event = match which {
                0..=4 => Event::Text(&text),
                5 => Event::Opened,
                6 => Event::Closed(CloseCode::from_u16(code)),
                7 => Event::TokenRefreshed,
                _ => Event::Tick,
            };
            desk.later(Duration::from_secs(number));
            for action in desk.session.handle(desk.now, event) {
                match action {
                    Action::Welcomed(welcome, _) if welcome.epoch != epoch => {
                        (epoch, last) = (welcome.epoch, welcome.offset);
                    }
                    Action::Missed(offsets) => {
                        prop_assert_eq!(*offsets.start(), last + 1);
                        last = *offsets.end();
                    }
                    Action::Deliver(message) => {
                        prop_assert_eq!(message.offset, last + 1);
                        last = message.offset;
                    }
                    Action::Send(text) => prop_assert_eq!(text, format!(r#"{{"type":"ack","offset":{last}}}"#)),
                    _ => {}
                }
            }
            if matches!(desk.session.state, State::Waiting { .. } | State::Greeting { .. }) {
                prop_assert!(desk.session.deadline().is_some());
            }
        }
    }
}
