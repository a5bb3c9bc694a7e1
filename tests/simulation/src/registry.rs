//! The registry: its views reach every node some time, and a node may miss some of them.

use crate::event::{Event, Node};
use crate::plan::LOST_MS;
use crate::view::{Member, View, WorkerIx};
use crate::world::World;

impl World {
    /// Changes who is in the cluster.
    pub(crate) fn change_members(&mut self, worker: WorkerIx, member: Option<Member>) {
        match member {
            Some(member) => _ = self.members.insert(worker, member),
            None => _ = self.members.remove(&worker),
        }
        self.revision += 1;
        let view = View::new(self.revision, self.members.clone());
        if view.ring.active_members().is_empty() && !self.clients.is_empty() {
            // Nobody is left who could remember anything.
            let now = self.schedule.now;
            (0..self.clients.len()).for_each(|client| self.ledger.disturb(client, 0, now + 2 * LOST_MS));
        }
        self.trace.add(self.schedule.now, || format!("registry: {:?}", view.members));
        let workers = (0..self.workers.len()).map(Node::Worker);
        let gateways = (0..self.gateways.len()).map(Node::Gateway);
        let senders = (0..self.senders.len()).map(Node::Sender);
        for node in workers.chain(gateways).chain(senders).collect::<Vec<_>>() {
            let range = self.plan.view_delay_ms.clone();
            let delay_ms = self.random.between(&range);
            self.schedule.after(delay_ms, Event::View { node, view: view.clone() });
        }
        self.newest = view;
    }

    /// A node that has just begun asks for the newest view.
    pub(crate) fn ask_for_view(&mut self, node: Node) {
        let range = self.plan.view_delay_ms.clone();
        let delay_ms = self.random.between(&range);
        self.schedule.after(delay_ms, Event::View { node, view: self.newest.clone() });
    }

    pub(crate) fn view_arrives(&mut self, node: Node, view: std::rc::Rc<View>) {
        match node {
            Node::Worker(worker) => self.worker_sees(worker, &view),
            Node::Gateway(gateway) => {
                let shown = &mut self.gateways[gateway].view;
                if shown.revision < view.revision {
                    *shown = view;
                }
            }
            Node::Sender(sender) => {
                let shown = &mut self.senders[sender].view;
                if shown.revision < view.revision {
                    *shown = view;
                }
            }
        }
    }
}
