//! All replicas of the server under test: which one gets a request, and what happens when it refuses.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    LoadError,
    client::{Client, Reply, Tried},
    clock::Clock,
    dialect::{Ask, Dialect},
    endpoint::Endpoint,
    random::{Purpose, Stream},
    readers::Readers,
    stamp::Stamper,
    threads::Threads,
    ways::Ways,
};
use crate::{
    plan::{Plan, Secrets, Spread, Target},
    session::{FailureClass, Outcome},
};

/// The clients of all addresses of a target.
pub(super) struct Fleet {
    pub(super) clock: Clock,
    pub(super) stamper: Arc<Stamper>,
    /// The client of `target.url`.
    pub(super) first: Arc<Client>,
    /// Those of `target.more_urls`.
    more: Vec<Arc<Client>>,
    spread: Spread,
    seed: u64,
    retries: u32,
}

/// Waits between tries where the server does not say how long: doubling from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A server that asks for more patience gets this much.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Connections that are opened at once; more would run into the limit of waiting connections of some servers.
const OPENERS: usize = 32;

impl Fleet {
    /// The clients of all addresses of a plan's target.
    ///
    /// # Errors
    /// An address or a header cannot be used, or TLS cannot be set up.
    pub(super) fn new(plan: &Plan, secrets: &Secrets, threads: &Threads) -> Result<Self, LoadError> {
        let target = &plan.target;
        let clock = Clock::start();
        let stamper = Stamper::new(clock)?;
        let dialect = Dialect::of(plan);
        let readers = Arc::new(Readers::start(clock, threads)?);
        let client = |url: &str| -> Result<Arc<Client>, LoadError> {
            let there = Target {
                url: url.to_owned(),
                ..target.clone()
            };
            Ok(Arc::new(Client {
                endpoint: Endpoint::new(&there, secrets, dialect)?,
                dialect,
                clock,
                timeouts: dialect.timeouts(target.timeouts),
                ways: Ways::new(Arc::clone(&stamper), Arc::clone(&readers), target.reuse_connections),
                keeps_text: plan.workload.conversation.is_some(),
            }))
        };
        Ok(Self {
            first: client(&target.url)?,
            more: target
                .more_urls
                .iter()
                .map(|url| client(url))
                .collect::<Result<_, _>>()?,
            clock,
            stamper: Arc::clone(&stamper),
            spread: target.spread,
            seed: plan.seed,
            retries: target.retries,
        })
    }

    /// The addresses of all replicas, `target.url` first.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        std::iter::once(&self.first)
            .chain(&self.more)
            .map(|client| &client.endpoint)
    }

    /// Sets the model that further requests name, where the API wants it in the path.
    pub(super) fn set_model(&mut self, model: &str) {
        for client in std::iter::once(&mut self.first).chain(&mut self.more) {
            match Arc::get_mut(client) {
                Some(client) => client.endpoint.set_model(Some(model)),
                None => debug_assert!(false, "no request is under way between two runs"),
            }
        }
    }

    /// Sends one request, again if it was refused and the plan allows it; whatever happens is in the reply.
    ///
    /// The unit decides the replica: all turns of a conversation go to the one that has the earlier ones in its prefix
    /// cache. The record has the first send time and the last try's answer.
    pub(super) async fn request(&self, index: u32, unit: u32, ask: &Ask) -> Reply {
        let client = self.client(unit);
        let mut tried = client.request(index, ask, None).await;
        let sent_ns = tried.reply.record.sent_ns;
        let mut replaced_connections = tried.reply.replaced_connections;
        let mut retries = 0;
        while retries < self.retries
            && let Some(wait) = wait(&tried, retries)
        {
            let waited = Duration::from_nanos(self.clock.now_ns().saturating_sub(sent_ns));
            if waited.saturating_add(wait) >= client.timeouts.total {
                break;
            }
            tokio::time::sleep(wait).await;
            retries += 1;
            tried = client.request(index, ask, Some(sent_ns)).await;
            replaced_connections += tried.reply.replaced_connections;
        }
        let mut reply = tried.reply;
        reply.record.sent_ns = sent_ns;
        reply.record.retries = retries;
        reply.record.slo = ask.slo().map(Box::new);
        reply.replaced_connections = replaced_connections;
        reply
    }

    /// Opens connections until this many wait for requests, so that none of these has to wait for one.
    ///
    /// What cannot be opened is left to the requests, which say why.
    pub(super) async fn warm(self: &Arc<Self>, connections: u32) {
        let replicas = self.more.len() + 1;
        let each = (connections as usize).div_ceil(replicas);
        for place in 0..replicas {
            let missing = self.at(place).ways.missing(each);
            let mut openers = JoinSet::new();
            for opener in 0..OPENERS.min(missing) {
                let fleet = Arc::clone(self);
                let count = (opener..missing).step_by(OPENERS).len();
                openers.spawn(async move {
                    {
                        let client = fleet.at(place);
                        client.ways.warm(&client.endpoint, client.timeouts.connect, count).await;
                    }
                });
            }
            while openers.join_next().await.is_some() {}
        }
    }

    /// The client at a place, the first one for a place that does not exist.
    fn at(&self, place: usize) -> &Arc<Client> {
        let behind_first = place.checked_sub(1).and_then(|place| self.more.get(place));
        behind_first.unwrap_or(&self.first)
    }

    /// The client that gets a unit of the workload: a request, or a whole conversation.
    fn client(&self, unit: u32) -> &Arc<Client> {
        let replicas = self.more.len() as u64 + 1;
        let place = match self.spread {
            Spread::RoundRobin => u64::from(unit) % replicas,
            Spread::Random => Stream::new(self.seed, Purpose::Replica, u64::from(unit)).below(replicas),
        };
        self.at(usize::try_from(place).unwrap_or_default())
    }
}

/// How long to wait before a refused request is sent again; `None` for one that was not refused.
fn wait(tried: &Tried, retries: u32) -> Option<Duration> {
    let Outcome::Failed(failure) = &tried.reply.record.outcome else {
        return None;
    };
    let refused = matches!(
        failure.class,
        FailureClass::Connect
            | FailureClass::ConnectRefused
            | FailureClass::ConnectTimeout
            | FailureClass::Http(429 | 503)
    );
    let doubled = || {
        FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(retries))
            .min(LONGEST_WAIT)
    };
    let wait = || {
        tried
            .retry_after
            .map_or_else(doubled, |wait| wait.min(LONGEST_RETRY_AFTER))
    };
    refused.then(wait)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::plan::{Lengths, Load, Prompts, Slo, Workload};

    fn plan(urls: [String; 2]) -> Plan {
        let [url, more] = urls;
        let input_tokens = Lengths::Fixed(1);
        let mut target = Target::at(&url);
        target.more_urls.push(more);
        Plan {
            target,
            workload: Workload::new(Prompts::Synthetic { input_tokens }, Lengths::Fixed(1)),
            loads: vec![Load::Concurrency(1)],
            requests_per_run: 1,
            warmup_requests: 0,
            warmup_limit: None,
            repeats: 1,
            seed: 1,
            max_error_rate: 0.0,
            slo: Slo::default(),
            scenario: None,
            shard: None,
            price: None,
            hardware: [].into(),
            framework: [].into(),
        }
    }

    #[test]
    fn connections_are_opened_until_enough_wait_at_every_replica() {
        let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let urls = listeners
            .each_ref()
            .map(|listener| format!("http://{}", listener.local_addr().unwrap()));
        let fleet = Arc::new(Fleet::new(&plan(urls), &Secrets::default(), &Threads::default()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let waiting = |connections| {
            runtime.block_on(fleet.warm(connections));
            [0, 1].map(|place| fleet.at(place).ways.waiting())
        };
        assert_eq!(waiting(5), [3, 3]);
        assert_eq!(waiting(5), [3, 3], "they are there already");
        assert_eq!(waiting(90), [45, 45]);
    }

    #[test]
    fn replicas_get_equal_shares_in_turn_and_by_lot() {
        let urls = ["http://127.0.0.1:1", "http://127.0.0.1:2"].map(str::to_owned);
        for spread in [Spread::RoundRobin, Spread::Random] {
            let mut plan = plan(urls.clone());
            plan.target.spread = spread;
            let fleet = Fleet::new(&plan, &Secrets::default(), &Threads::default()).unwrap();
            let first = (0..10_000).filter(|unit| std::ptr::eq(fleet.client(*unit), &raw const fleet.first));
            let share = first.count();
            assert!((4_800..5_200).contains(&share), "{spread:?}: {share}");
        }
    }
}
