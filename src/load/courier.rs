//! Sends one unit of a run: a request, or a conversation turn by turn with the model's own answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    client::Reply,
    dialect::{Payload, Stimulus},
    fleet::Fleet,
    in_flight::InFlight,
    pacer::Alarms,
    schedule::Talks,
};
use crate::session::{Failure, FailureClass, Outcome, RequestRecord, Turn};

/// Sends units of one part of a run.
#[derive(Clone)]
pub(super) struct Courier {
    pub(super) client: Arc<Fleet>,
    pub(super) stimulus: Arc<Stimulus>,
    /// Which requests are one conversation; `None` where each is a unit by itself.
    pub(super) talks: Option<Arc<Talks>>,
    /// The part's place among the stages of its load.
    pub(super) stage: u16,
    /// No request begins later than this.
    pub(super) limit_ns: Option<u64>,
    /// No request begins after this is set.
    pub(super) enough: Arc<AtomicBool>,
    /// Keeps the time of later turns in open loop; `None` in closed loop.
    pub(super) alarms: Option<Alarms>,
    /// Counts requests under way, if anybody looks.
    pub(super) in_flight: InFlight,
    /// Where replies go; nobody listens to a run that was stopped.
    pub(super) replies: UnboundedSender<Reply>,
}

/// What was said in a conversation so far.
struct Said {
    /// The request of the latest turn, with all before it.
    asked: Payload,
    answer: String,
    ended_ns: u64,
}

impl Courier {
    /// Sends a unit, due at a time in open loop; `false` where it is no use to go on.
    pub(super) async fn serve(&self, unit: u32, due_ns: Option<u64>) -> bool {
        match &self.talks {
            Some(talks) => self.converse(talks, unit, due_ns).await,
            None => match self.stimulus.payload(unit) {
                Some(payload) => self.send(self.ask(unit, unit, payload, due_ns).await),
                None => false,
            },
        }
    }

    /// Whether no further request is wanted.
    pub(super) fn is_over(&self) -> bool {
        let is_late = |limit_ns| self.client.clock.now_ns() >= limit_ns;
        self.enough.load(Ordering::Relaxed) || self.limit_ns.is_some_and(is_late)
    }

    async fn converse(&self, talks: &Talks, conversation: u32, due_ns: Option<u64>) -> bool {
        let requests = talks.requests(conversation);
        let mut said: Option<Said> = None;
        for index in requests.clone() {
            let turn = Turn {
                conversation,
                turn: index - requests.start,
            };
            let due_ns = match &said {
                None => due_ns,
                Some(said) => self.think(said.ended_ns, talks.pause_ns(index)).await,
            };
            if said.is_some() && self.is_over() {
                return true;
            }
            let Some(payload) = self.stimulus.payload(index) else {
                return false;
            };
            let asked = match said {
                None => payload.clone(),
                Some(said) => payload.after(&said.asked, &said.answer),
            };
            let mut reply = self.ask(index, conversation, &asked, due_ns).await;
            reply.record.turn = Some(turn);
            let (ended_ns, completed) = (reply.record.end_ns, reply.record.completed());
            let answer = std::mem::take(&mut reply.text);
            if !self.send(reply) {
                return false;
            }
            if !completed {
                return (index + 1..requests.end).all(|index| self.abandon(index, turn, requests.start, ended_ns));
            }
            said = Some(Said {
                asked,
                answer,
                ended_ns,
            });
        }
        true
    }

    /// Waits while the user thinks; the time at which the next turn was due in open loop.
    async fn think(&self, ended_ns: u64, pause_ns: u64) -> Option<u64> {
        let Some(alarms) = &self.alarms else {
            tokio::time::sleep(Duration::from_nanos(pause_ns)).await;
            return None;
        };
        let due_ns = ended_ns.saturating_add(pause_ns);
        alarms.wait_until(self.client.clock.instant(due_ns)).await;
        Some(due_ns)
    }

    async fn ask(&self, index: u32, unit: u32, payload: &Payload, due_ns: Option<u64>) -> Reply {
        let under_way = self.in_flight.enter();
        let mut reply = self.client.request(index, unit, &self.stimulus.ask(payload)).await;
        drop(under_way);
        reply.record.scheduled_ns = due_ns;
        reply.record.stage = self.stage;
        reply
    }

    /// Records a turn that was never sent because one before it failed.
    fn abandon(&self, index: u32, failed: Turn, first: u32, at_ns: u64) -> bool {
        let failure = Failure {
            class: FailureClass::Abandoned,
            message: format!("turn {} of its conversation failed", failed.turn + 1),
        };
        let record = RequestRecord {
            index,
            sent_ns: at_ns,
            end_ns: at_ns,
            stage: self.stage,
            turn: Some(Turn {
                turn: index - first,
                ..failed
            }),
            outcome: Outcome::Failed(Box::new(failure)),
            ..RequestRecord::default()
        };
        self.send(Reply::of(record))
    }

    fn send(&self, reply: Reply) -> bool {
        self.replies.send(reply).is_ok()
    }
}
