//! The loop.

use std::collections::HashMap;
use std::net::TcpListener;

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::client::{Client, Read};
use super::feed::{Feed, Receiver};

/// What events are about: listeners by their number, these two, and clients from `CLIENTS` on.
const FEED: u64 = 100;
const FEED_LISTENER: u64 = 101;
const CLIENTS: u64 = 1_000;
const EVENTS: usize = 512;
const BYTES: usize = 256 * 1024;
const TEXT: u8 = 0x81;

pub(super) struct Server {
    epoll: OwnedFd,
    listeners: Vec<TcpListener>,
    feed: Option<Feed>,
    clients: Clients,
}

struct Clients {
    /// Never used twice: a server lives for one round.
    all: Vec<Option<Client>>,
    by_name: HashMap<Vec<u8>, usize>,
    /// By the number in their names (`u17-all`), for records.
    by_number: Vec<usize>,
    /// Those whose sockets took less than they were given.
    behind: Vec<usize>,
}

impl Server {
    pub(super) fn new(listeners: Vec<TcpListener>, feed: Option<Feed>) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (number, listener) in listeners.iter().enumerate() {
            listener.set_nonblocking(true)?;
            epoll::add(&epoll, listener, EventData::new_u64(number as u64), EventFlags::IN)?;
        }
        if let Some(feed) = &feed {
            if let Some(stream) = &feed.stream {
                epoll::add(&epoll, stream, EventData::new_u64(FEED), EventFlags::IN)?;
            }
            if let Some(listener) = &feed.listener {
                epoll::add(&epoll, listener, EventData::new_u64(FEED_LISTENER), EventFlags::IN)?;
            }
        }
        let clients =
            Clients { all: Vec::new(), by_name: HashMap::new(), by_number: Vec::new(), behind: Vec::new() };
        Ok(Self { epoll, listeners, feed, clients })
    }

    pub(super) fn run(mut self) -> Result<()> {
        let (mut events, mut buffer) = (Vec::with_capacity(EVENTS), vec![0; BYTES]);
        loop {
            epoll::wait(&self.epoll, spare_capacity(&mut events), None).context("epoll")?;
            for event in events.drain(..) {
                match event.data.u64() {
                    FEED => self.deliver(&mut buffer)?,
                    FEED_LISTENER => self.accept_feed()?,
                    listener if listener < FEED => self.accept(usize::try_from(listener)?)?,
                    client => {
                        let place = usize::try_from(client - CLIENTS)?;
                        self.serve(place, event.flags, &mut buffer)?;
                    }
                }
            }
            self.watch_those_behind()?;
        }
    }

    fn accept(&mut self, listener: usize) -> Result<()> {
        while let Ok((stream, _)) = self.listeners[listener].accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let token = EventData::new_u64(CLIENTS + self.clients.all.len() as u64);
            epoll::add(&self.epoll, &stream, token, EventFlags::IN)?;
            self.clients.all.push(Some(Client::new(stream)));
        }
        Ok(())
    }

    fn accept_feed(&mut self) -> Result<()> {
        if let Some(stream) = self.feed.as_mut().and_then(Feed::accept) {
            epoll::add(&self.epoll, stream, EventData::new_u64(FEED), EventFlags::IN)?;
        }
        Ok(())
    }

    fn serve(&mut self, place: usize, flags: EventFlags, buffer: &mut [u8]) -> Result<()> {
        let Some(client) = self.clients.all.get_mut(place).and_then(Option::as_mut) else { return Ok(()) };
        if flags.contains(EventFlags::OUT) {
            client.flush();
            if !client.is_behind() {
                let token = EventData::new_u64(CLIENTS + place as u64);
                epoll::modify(&self.epoll, &client.stream, token, EventFlags::IN)?;
            }
        }
        match client.read(buffer) {
            Read::Nothing => {}
            Read::Opened(name) => self.clients.name(place, name),
            // Closing a socket takes it out of the epoll.
            Read::Closed => self.clients.all[place] = None,
        }
        Ok(())
    }

    fn deliver(&mut self, buffer: &mut [u8]) -> Result<()> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        let clients = &mut self.clients;
        let goes_on = feed.read(buffer, |receiver, payload| clients.write(&receiver, payload));
        if !goes_on && let Some(stream) = feed.stream.take() {
            epoll::delete(&self.epoll, &stream)?;
        }
        Ok(())
    }

    fn watch_those_behind(&mut self) -> Result<()> {
        for place in self.clients.behind.drain(..) {
            let Some(client) = self.clients.all[place].as_ref().filter(|client| client.is_behind()) else {
                continue;
            };
            let token = EventData::new_u64(CLIENTS + place as u64);
            epoll::modify(&self.epoll, &client.stream, token, EventFlags::IN | EventFlags::OUT)?;
        }
        Ok(())
    }
}

impl Clients {
    fn name(&mut self, place: usize, name: String) {
        let number = name.strip_prefix('u').and_then(|rest| rest.split('-').next()?.parse::<usize>().ok());
        if let Some(number) = number {
            self.by_number.resize(self.by_number.len().max(number + 1), usize::MAX);
            self.by_number[number] = place;
        }
        self.by_name.insert(name.into_bytes(), place);
    }

    fn write(&mut self, receiver: &Receiver<'_>, payload: &[u8]) {
        let frame = [&[TEXT, u8::try_from(payload.len()).unwrap_or_default()], payload].concat();
        match receiver {
            Receiver::All => (0..self.all.len()).for_each(|place| self.write_one(place, &frame)),
            Receiver::Number(number) => {
                if let Some(place) = self.by_number.get(*number as usize) {
                    self.write_one(*place, &frame);
                }
            }
            Receiver::Name(name) => {
                if let Some(place) = self.by_name.get(*name) {
                    self.write_one(*place, &frame);
                }
            }
        }
    }

    fn write_one(&mut self, place: usize, frame: &[u8]) {
        let Some(client) = self.all.get_mut(place).and_then(Option::as_mut) else { return };
        client.write(frame);
        if client.is_behind() {
            self.behind.push(place);
        }
    }
}
