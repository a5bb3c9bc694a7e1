//! A name server that answers as it is told.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use parking_lot::Mutex;
use tokio::net::UdpSocket;

/// A running server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
}

struct Answers {
    code: ResponseCode,
    records: Vec<RData>,
    ttl: u32,
}

impl Server {
    /// A server that knows these records of every name.
    pub(crate) async fn start(records: Vec<RData>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("its address");
        let answers = Answers { code: ResponseCode::NoError, records, ttl: 0 };
        let server = Self { address, answers: Arc::new(Mutex::new(answers)) };
        tokio::spawn(server.clone().serve(socket));
        server
    }

    /// From now on it answers so.
    pub(crate) fn answer(&self, code: ResponseCode, records: Vec<RData>) {
        let mut answers = self.answers.lock();
        (answers.code, answers.records) = (code, records);
    }

    /// From now on its records live so long, in seconds.
    pub(crate) fn live(&self, ttl: u32) {
        self.answers.lock().ttl = ttl;
    }

    async fn serve(self, socket: UdpSocket) {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.expect("a datagram");
            let question = Message::from_vec(&buffer[..length]).expect("a question");
            let answer = self.reply(question).to_vec().expect("an answer");
            socket.send_to(&answer, from).await.expect("it is sent");
        }
    }

    fn reply(&self, question: Message) -> Message {
        let answers = self.answers.lock();
        let mut reply = Message::error_msg(question.metadata.id, OpCode::Query, answers.code);
        for query in question.queries {
            let right = |data: &&RData| data.record_type() == query.query_type();
            let record = |data: &RData| Record::from_rdata(query.name().clone(), answers.ttl, data.clone());
            reply.add_answers(answers.records.iter().filter(right).map(record).collect::<Vec<_>>());
            reply.add_query(query);
        }
        reply
    }
}

/// An SRV record.
pub(crate) fn service(host: &str, port: u16) -> RData {
    RData::SRV(SRV::new(0, 0, port, Name::from_ascii(host).expect("a name")))
}

/// An A record.
pub(crate) fn address(ip: &str) -> RData {
    RData::A(A(ip.parse().expect("an address")))
}
