//! Closed loop: a fixed number of requests in flight, the next sent when one ends.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{runtime::Handle, sync::mpsc::UnboundedSender, task::JoinSet};

use super::{
    client::{Client, Reply},
    dialect::Payload,
};

/// Starts `concurrency` workers that send all payloads in workload order; dropping the set stops them.
pub(super) fn start(
    handle: &Handle,
    client: &Arc<Client>,
    payloads: &Arc<[Payload]>,
    concurrency: u32,
    replies: &UnboundedSender<Reply>,
) -> JoinSet<()> {
    let next = Arc::new(AtomicU32::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let (client, payloads, replies) = (Arc::clone(client), Arc::clone(payloads), replies.clone());
        let next = Arc::clone(&next);
        workers.spawn_on(async move { work(&client, &payloads, &next, &replies).await }, handle);
    }
    workers
}

async fn work(client: &Client, payloads: &[Payload], next: &AtomicU32, replies: &UnboundedSender<Reply>) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(payload) = payloads.get(index as usize) else {
            return;
        };
        if replies.send(client.request(index, payload).await).is_err() {
            return;
        }
    }
}
