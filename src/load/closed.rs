//! Closed loop: a fixed number of requests in flight, the next sent when one ends.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{runtime::Handle, sync::mpsc::UnboundedSender, task::JoinSet};

use super::{
    client::{Client, Reply},
    dialect::Stimulus,
};

/// Starts `concurrency` workers that send all requests in workload order; dropping the set stops them.
pub(super) fn start(
    handle: &Handle,
    client: &Arc<Client>,
    stimulus: &Arc<Stimulus>,
    concurrency: u32,
    replies: &UnboundedSender<Reply>,
) -> JoinSet<()> {
    let next = Arc::new(AtomicU32::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let (client, stimulus, replies) = (Arc::clone(client), Arc::clone(stimulus), replies.clone());
        let next = Arc::clone(&next);
        workers.spawn_on(async move { work(&client, &stimulus, &next, &replies).await }, handle);
    }
    workers
}

async fn work(client: &Client, stimulus: &Stimulus, next: &AtomicU32, replies: &UnboundedSender<Reply>) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(body) = stimulus.body(index) else {
            return;
        };
        if replies.send(client.request(index, body).await).is_err() {
            return;
        }
    }
}
