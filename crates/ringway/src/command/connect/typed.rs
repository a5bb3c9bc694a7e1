//! What is typed while `ringway.v1.json` is spoken: a command, or a frame as it is.

use ringway_session::frame::{ClientEvent, ClientFrame, ClientSend, Recipient, WATCH_USERS_MAX};
use ringway_session::{GroupId, Kind, NameError, Payload, UserId};

/// The commands, for whoever mistypes one.
const COMMANDS: &str = "/join GROUP, /leave GROUP, /send USER TEXT, /group GROUP TEXT, /event TOPIC TEXT, /watch USER… and /unwatch USER… are the commands";

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A command: this frame is to be sent, and its answer to be told.
    Request(ClientFrame),
    /// Anything else, to be sent as it is.
    Raw(String),
    /// A command that cannot be: why.
    Wrong(String),
}

impl Line {
    /// Understands a line.
    pub(super) fn read(line: String) -> Self {
        let Some(command) = line.strip_prefix('/') else { return Line::Raw(line) };
        request(command).map_or_else(Line::Wrong, Line::Request)
    }
}

fn request(command: &str) -> Result<ClientFrame, String> {
    let (name, rest) = split(command);
    match name {
        "join" => Ok(ClientFrame::Join { group: group(rest)? }),
        "leave" => Ok(ClientFrame::Leave { group: group(rest)? }),
        "send" => {
            let (to, text) = split(rest);
            send(Recipient::User(UserId::new(to).map_err(|error| wrong(&error))?), text)
        }
        "group" => {
            let (to, text) = split(rest);
            send(Recipient::Group(group(to)?), text)
        }
        "event" => {
            let (topic, text) = split(rest);
            if topic.is_empty() {
                return Err(format!("an event has a topic; {COMMANDS}"));
            }
            Ok(ClientFrame::Event(ClientEvent { topic: topic.to_owned(), payload: payload(text)? }))
        }
        "watch" => Ok(ClientFrame::Watch { users: users(rest)? }),
        "unwatch" => Ok(ClientFrame::Unwatch { users: users(rest)? }),
        _ => Err(format!("there is no command /{name}; {COMMANDS}")),
    }
}

/// The first word and the rest.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn group(name: &str) -> Result<GroupId, String> {
    GroupId::new(name.trim_end()).map_err(|error| wrong(&error))
}

/// One name or several.
fn users(names: &str) -> Result<Vec<UserId>, String> {
    let users = names.split_whitespace().map(UserId::new).collect::<Result<Vec<_>, _>>();
    let users = users.map_err(|error| wrong(&error))?;
    match users.len() {
        0 => Err(format!("nobody is named; {COMMANDS}")),
        1..=WATCH_USERS_MAX => Ok(users),
        number => Err(format!("{number} users are named; at most {WATCH_USERS_MAX} may be")),
    }
}

fn send(to: Recipient, text: &str) -> Result<ClientFrame, String> {
    let payload = payload(text)?;
    Ok(ClientFrame::Send(ClientSend { to, id: String::new(), topic: String::new(), payload }))
}

/// What is a JSON object or array goes as such, anything else as text.
fn payload(text: &str) -> Result<Payload, String> {
    let bytes = || text.to_owned().into();
    let json = text.starts_with(['{', '[']).then(|| Payload::new(bytes(), Kind::Json).ok()).flatten();
    json.map_or_else(|| Payload::new(bytes(), Kind::Text).map_err(|error| error.to_string()), Ok)
}

fn wrong(error: &NameError) -> String {
    format!("{error}; {COMMANDS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_frames() {
        let check = |line: &str, expected: &str| match Line::read(line.to_owned()) {
            Line::Request(frame) => assert_eq!(frame.to_string(), expected),
            other => panic!("{line}: {other:?}"),
        };
        check("/join room 7 ", r#"{"type":"join","group":"room 7"}"#);
        check("/leave room", r#"{"type":"leave","group":"room"}"#);
        check("/send alice  hi you", r#"{"type":"send","to":{"user":"alice"},"data":"hi you"}"#);
        check("/send alice", r#"{"type":"send","to":{"user":"alice"},"data":""}"#);
        check("/send alice [1, 2]", r#"{"type":"send","to":{"user":"alice"},"data":[1, 2]}"#);
        check("/send alice 5", r#"{"type":"send","to":{"user":"alice"},"data":"5"}"#);
        check("/send alice {oops", r#"{"type":"send","to":{"user":"alice"},"data":"{oops"}"#);
        check("/group room hi", r#"{"type":"send","to":{"group":"room"},"data":"hi"}"#);
        check("/watch bob", r#"{"type":"watch","users":["bob"]}"#);
        check("/unwatch bob  carol ", r#"{"type":"unwatch","users":["bob","carol"]}"#);
        check("/event paid {\"order\":7}", r#"{"type":"event","topic":"paid","data":{"order":7}}"#);
    }

    #[test]
    fn whatever_is_no_command_goes_as_it_is() {
        for line in ["", "hello", r#"{"type":"ack","offset":1}"#, " /join room"] {
            assert_eq!(Line::read(line.to_owned()), Line::Raw(line.to_owned()));
        }
    }

    #[test]
    fn a_command_that_cannot_be_says_why() {
        let check = |line: &str, words: &str| match Line::read(line.to_owned()) {
            Line::Wrong(why) => assert!(why.contains(words) && why.contains("/join GROUP"), "{line}: {why}"),
            other => panic!("{line}: {other:?}"),
        };
        check("/", "there is no command /;");
        check("/dance", "there is no command /dance;");
        check("/join", "the group is empty");
        check("/send", "the user is empty");
        check("/group", "the group is empty");
        check("/event", "an event has a topic");
        check("/watch", "nobody is named");
    }
}
