//! The prefix cache: whole KV blocks of prompts seen before need no prefill.
//!
//! As in vLLM, a block is known by all tokens up to its end, the least recently used ones go first, and at least one
//! token of a prompt is always computed. Unlike there, a block counts as cached from the arrival of its prompt on.

use std::collections::{HashMap, VecDeque};

/// Blocks that were seen, up to as many as the engine has.
#[derive(Debug)]
pub(super) struct PrefixCache {
    block_tokens: u32,
    most_blocks: usize,
    /// When each block was used last.
    blocks: HashMap<u64, u64>,
    /// Uses in order; one that is not a block's last is stale.
    uses: VecDeque<(u64, u64)>,
    clock: u64,
}

impl PrefixCache {
    /// A cache of `most_blocks` blocks; zero caches nothing.
    pub(super) fn new(block_tokens: u32, most_blocks: u32) -> Self {
        Self {
            block_tokens,
            most_blocks: usize::try_from(most_blocks).unwrap_or(usize::MAX),
            blocks: HashMap::new(),
            uses: VecDeque::new(),
            clock: 0,
        }
    }

    /// How many tokens at the start of a prompt are cached; all its blocks are from now on.
    pub(super) fn take(&mut self, token_ids: &[u32]) -> u32 {
        if self.most_blocks == 0 {
            return 0;
        }
        let blocks = self.hashes(token_ids);
        let known = blocks
            .iter()
            .take_while(|block| self.blocks.contains_key(block))
            .count();
        for block in &blocks {
            self.touch(*block);
        }
        let cached = u32::try_from(known)
            .unwrap_or(u32::MAX)
            .saturating_mul(self.block_tokens);
        let prompt = u32::try_from(token_ids.len()).unwrap_or(u32::MAX);
        cached.min(prompt.saturating_sub(1))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.uses.clear();
    }

    /// One hash for each whole block, of all tokens up to its end (64-bit FNV-1a over the ids).
    fn hashes(&self, token_ids: &[u32]) -> Vec<u64> {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let blocks = token_ids.chunks_exact(usize::try_from(self.block_tokens).unwrap_or(usize::MAX));
        let mut through = |block: &[u32]| {
            for id in block {
                hash = (hash ^ u64::from(*id)).wrapping_mul(0x0000_0100_0000_01b3);
            }
            hash
        };
        blocks.map(&mut through).collect()
    }

    fn touch(&mut self, block: u64) {
        self.clock += 1;
        self.blocks.insert(block, self.clock);
        self.uses.push_back((block, self.clock));
        while self.blocks.len() > self.most_blocks || self.uses.len() > self.most_blocks.saturating_mul(4) {
            let Some((oldest, used)) = self.uses.pop_front() else {
                return;
            };
            let is_last = self.blocks.get(&oldest) == Some(&used);
            if is_last && self.blocks.len() > self.most_blocks {
                self.blocks.remove(&oldest);
            } else if is_last {
                self.uses.push_back((oldest, used));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(from: u32, count: u32) -> Vec<u32> {
        (from..from + count).collect()
    }

    #[test]
    fn whole_blocks_that_were_seen_are_cached_but_never_a_whole_prompt() {
        let mut cache = PrefixCache::new(4, 100);
        assert_eq!(cache.take(&ids(0, 10)), 0);
        assert_eq!(cache.take(&ids(0, 10)), 8);
        assert_eq!(cache.take(&ids(0, 8)), 7);
        assert_eq!(cache.take(&ids(0, 3)), 0);
        let other_end = [ids(0, 4), ids(50, 4)].concat();
        assert_eq!(cache.take(&other_end), 4);
        assert_eq!(
            cache.take(&ids(4, 4)),
            0,
            "the same tokens after others are another block"
        );
    }

    #[test]
    fn a_cleared_cache_knows_nothing() {
        let mut cache = PrefixCache::new(4, 100);
        cache.take(&ids(0, 10));
        cache.clear();
        assert_eq!(cache.take(&ids(0, 10)), 0);
    }

    #[test]
    fn the_least_recently_used_block_goes_first() {
        let mut cache = PrefixCache::new(4, 2);
        cache.take(&ids(0, 5));
        cache.take(&ids(100, 5));
        cache.take(&ids(0, 5));
        cache.take(&ids(200, 5));
        assert_eq!(cache.take(&ids(0, 5)), 4);
        let mut cache = PrefixCache::new(4, 2);
        cache.take(&ids(0, 5));
        cache.take(&ids(100, 5));
        cache.take(&ids(200, 5));
        assert_eq!(cache.take(&ids(0, 5)), 0);
    }

    #[test]
    fn many_uses_of_few_blocks_take_bounded_memory() {
        let mut cache = PrefixCache::new(1, 3);
        for _ in 0..1000 {
            cache.take(&ids(0, 3));
        }
        assert!(cache.uses.len() <= 13, "{}", cache.uses.len());
        assert_eq!(cache.take(&ids(0, 4)), 3);
    }

    #[test]
    fn no_blocks_no_cache() {
        let mut cache = PrefixCache::new(4, 0);
        cache.take(&ids(0, 10));
        assert_eq!(cache.take(&ids(0, 10)), 0);
    }
}
