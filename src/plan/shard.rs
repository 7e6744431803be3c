//! The part of a plan that one of several machines measures.

use std::{fmt, path::PathBuf, str::FromStr};

/// Which part of how many. Every part is of the same plan: the units of all of them are those of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many there are, above `index`.
    pub of: u32,
}

impl Shard {
    /// How many of so many streams are its own: the first shards have one more where they do not go round.
    pub const fn share(self, streams: u32) -> u32 {
        streams / self.of + (self.index < streams % self.of) as u32
    }
}

/// Counted from 1, as people do (`2/4`).
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(part, of)| Some((part.trim().parse().ok()?, of.trim().parse().ok()?)));
        match numbers {
            Some((part @ 1.., of)) if part <= of => Ok(Self { index: part - 1, of }),
            _ => Err(format!(
                "`{text}` is no part of a whole: write `2/4` for the second of four"
            )),
        }
    }
}

/// How a plan was shared out over several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// This part of it was measured.
    Part(Shard),
    /// All of it, by so many that each had its own share of the requests in flight: their last requests end apart, as those of one
    /// machine do not.
    All(u32),
}

impl Sharing {
    /// The part that is measured here, where it is one.
    pub const fn part(self) -> Option<Shard> {
        match self {
            Self::Part(shard) => Some(shard),
            Self::All(_) => None,
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(shard) => shard.fmt(f),
            Self::All(of) => write!(f, "all {of}"),
        }
    }
}

impl FromStr for Sharing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("all ").map(str::parse) {
            Some(Ok(of @ 1..)) => Ok(Self::All(of)),
            _ => text.parse().map(Self::Part),
        }
    }
}

/// How the shards of a plan find out when to begin a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Everybody was told the same time: nanoseconds since 1970 UTC. Good for one run.
    At(u64),
    /// They meet in a folder that all of them see, before each run.
    Folder(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one_and_their_shares_are_all_of_it() {
        let second: Shard = "2/4".parse().unwrap();
        assert_eq!(
            (second, second.to_string().as_str()),
            (Shard { index: 1, of: 4 }, "2/4")
        );
        for bad in ["", "2", "0/4", "5/4", "1/0", "-1/2", "a/b", "1/2/3", "all 0", "all x"] {
            assert!(bad.parse::<Sharing>().is_err(), "{bad}");
        }
        for sharing in [Sharing::Part(second), Sharing::All(4)] {
            assert_eq!(sharing.to_string().parse(), Ok(sharing));
        }
        for streams in 0..20 {
            let shares: Vec<u32> = (0..3).map(|index| Shard { index, of: 3 }.share(streams)).collect();
            assert_eq!(shares.iter().sum::<u32>(), streams);
            assert!(shares[0] - shares[2] <= 1, "{shares:?}");
        }
    }
}
