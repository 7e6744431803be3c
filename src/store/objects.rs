//! A bucket of object storage: S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage.
//!
//! Credentials and endpoints are the environment's, as the tools of each cloud know them (`AWS_…`, `GOOGLE_…`, `AZURE_…`).

mod sweep;

use std::{env, error::Error as _, fmt, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig, UpdateVersion,
    aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder, path::Path,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use super::{
    Baselines, StoreError,
    bucket::{Bucket, INDEX, KeptNow, Next, Version},
    files::GRACE,
    place::Swept,
};

/// So many requests at a time.
const AT_ONCE: usize = 16;
/// How often a request is tried again, and for how long in all.
const RETRIES: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two tries of a swap whose answer did not arrive.
const PAUSE: Duration = Duration::from_millis(200);
/// Of what a server says in a message.
const SAID_SIGNS: usize = 300;

/// Whose storage it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon S3, and what speaks its language.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Cloud {
    /// Where its credentials come from.
    const fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION",
            Self::Google => "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        }
    }
}

/// Objects below a prefix.
struct Objects {
    address: String,
    cloud: Cloud,
    prefix: String,
    /// Younger objects are not swept.
    grace: Duration,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl fmt::Debug for Objects {
    // The client holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Baselines {
    /// Baselines as objects of a cloud's bucket, below a prefix; nothing is asked of it yet.
    ///
    /// # Errors
    /// The environment's settings contradict one another.
    pub fn in_objects(address: &str, cloud: Cloud, bucket: &str, prefix: &str) -> Result<Self, StoreError> {
        let failed = |why: String| StoreError::Elsewhere {
            action: "open",
            place: address.to_owned(),
            why,
        };
        // Another part of this program may have chosen it already, and then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = client(cloud, bucket).map_err(|error| failed(said(&error)))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        let objects = Objects {
            address: address.to_owned(),
            cloud,
            prefix: prefix.to_owned(),
            grace: GRACE,
            store,
            runtime,
        };
        Ok(Self::in_bucket(address, Box::new(objects)))
    }
}

fn client(cloud: Cloud, bucket: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    };
    Ok(match cloud {
        Cloud::S3 => {
            let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
            Arc::new(builder.with_client_options(options("AWS_ALLOW_HTTP")).build()?)
        }
        Cloud::Google => {
            let builder = GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_retry(retry);
            Arc::new(builder.with_client_options(options("GOOGLE_ALLOW_HTTP")).build()?)
        }
        Cloud::Azure => {
            let builder = MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .with_retry(retry);
            Arc::new(builder.with_client_options(options("AZURE_ALLOW_HTTP")).build()?)
        }
    })
}

/// Plain HTTP is for servers on this machine, and where the environment says so.
fn options(allow_http: &str) -> ClientOptions {
    let is_allowed = env::var(allow_http).is_ok_and(|text| matches!(text.to_ascii_lowercase().as_str(), "1" | "true"));
    ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(TIMEOUT)
        .with_allow_http(is_allowed)
}

impl Objects {
    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    fn failed(&self, action: &'static str, error: &Error) -> StoreError {
        let reason = said(error);
        let why = match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => format!(
                "access is refused ({reason}); look at {}, and at what they may do there",
                self.cloud.variables()
            ),
            Error::NotFound { .. } => format!("{reason}; is it spelled right, and was it made?"),
            _ => reason,
        };
        StoreError::Elsewhere {
            action,
            place: self.address.clone(),
            why,
        }
    }

    async fn index_now(&self) -> Result<Option<(Vec<u8>, Version)>, Error> {
        let found = match self.store.get(&self.path(INDEX)).await {
            Err(error @ Error::NotFound { .. }) => {
                // A bucket that is misspelled must not look like one without baselines.
                return if is_no_bucket(&error) { Err(error) } else { Ok(None) };
            }
            found => found?,
        };
        let version = Version(worded(found.meta.e_tag.as_deref(), found.meta.version.as_deref()));
        Ok(Some((found.bytes().await?.to_vec(), version)))
    }

    /// Swaps the index; where the answer got lost it is looked at what became of it.
    async fn swapped(&self, was: Option<&Version>, index: &[u8]) -> Result<bool, Error> {
        let mut tries = 0;
        loop {
            let mode = was.map_or(PutMode::Create, |was| PutMode::Update(update(was)));
            let options = PutOptions {
                mode,
                ..PutOptions::default()
            };
            let put = self
                .store
                .put_opts(&self.path(INDEX), index.to_vec().into(), options)
                .await;
            tries += 1;
            let error = match put {
                Ok(_) => return Ok(true),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }) => {
                    return Ok(false);
                }
                Err(error @ Error::Generic { .. }) if tries < RETRIES => error,
                Err(error) => return Err(error),
            };
            tokio::time::sleep(PAUSE).await;
            match self.index_now().await {
                Ok(now) if now.as_ref().is_some_and(|(bytes, _)| bytes == index) => return Ok(true),
                Ok(now) if now.as_ref().map(|(_, version)| version) == was => {}
                Ok(_) => return Ok(false),
                Err(_) => return Err(error),
            }
        }
    }

    /// Written again where it is there: it is the same, and young again for who sweeps.
    async fn put(&self, added: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let mut waiting = added.iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < AT_ONCE
                && let Some((name, bytes)) = waiting.next()
            {
                let (store, path, bytes) = (Arc::clone(&self.store), self.path(name), bytes.clone());
                tasks.spawn(async move { store.put(&path, bytes.into()).await });
            }
            match tasks.join_next().await {
                Some(ended) => drop(ended.map_err(|source| Error::JoinError { source })??),
                None => return Ok(()),
            }
        }
    }
}

impl Bucket for Objects {
    fn compresses(&self) -> bool {
        false
    }

    fn index(&self) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let found = self.runtime.block_on(self.index_now());
        found.map_err(|error| self.failed("read", &error))
    }

    fn objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found: Vec<Option<Vec<u8>>> = vec![None; names.len()];
        let all = async {
            let mut waiting = names.iter().map(|name| self.path(name)).enumerate();
            let mut tasks = JoinSet::new();
            loop {
                while tasks.len() < AT_ONCE
                    && let Some((at, path)) = waiting.next()
                {
                    let store = Arc::clone(&self.store);
                    tasks.spawn(async move { (at, read(&*store, &path).await) });
                }
                let Some(ended) = tasks.join_next().await else {
                    return Ok(());
                };
                let (at, bytes) = ended.map_err(|source| Error::JoinError { source })?;
                if let Some(place) = found.get_mut(at) {
                    *place = bytes?;
                }
            }
        };
        self.runtime
            .block_on(all)
            .map_err(|error: Error| self.failed("read", &error))?;
        Ok(found)
    }

    fn replace(&self, was: Option<&Version>, next: Next<'_>) -> Result<bool, StoreError> {
        let all = async {
            self.put(next.added).await?;
            self.swapped_whole(was, next).await
        };
        self.runtime.block_on(all).map_err(|error| self.failed("write", &error))
    }

    fn sweep(
        &self,
        was: &Version,
        next: Next<'_>,
        kept_now: KeptNow<'_>,
        is_dry: bool,
    ) -> Result<Option<Swept>, StoreError> {
        self.swept(was, next.kept, kept_now, is_dry)
    }
}

async fn read(store: &dyn ObjectStore, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match store.get(path).await {
        Err(Error::NotFound { .. }) => Ok(None),
        found => Ok(Some(found?.bytes().await?.to_vec())),
    }
}

/// Both of a version's names in one text; neither holds a line break.
fn worded(e_tag: Option<&str>, version: Option<&str>) -> String {
    format!("{}\n{}", e_tag.unwrap_or_default(), version.unwrap_or_default())
}

fn update(version: &Version) -> UpdateVersion {
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (e_tag, version) = version.0.split_once('\n').unwrap_or((&version.0, ""));
    UpdateVersion {
        e_tag: part(e_tag),
        version: part(version),
    }
}

fn is_no_bucket(error: &Error) -> bool {
    let text = in_full(error);
    let names = ["NoSuchBucket", "ContainerNotFound", "specified bucket does not exist"];
    names.iter().any(|name| text.contains(name))
}

fn in_full(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// The reason in the server's word where it has one, else in that of the innermost error; without secrets.
fn said(error: &Error) -> String {
    let text = in_full(error);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let reason = match code {
        Some((code, _)) => code.to_owned(),
        None => innermost(error),
    };
    without_secrets(&reason)
}

fn innermost(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

/// What follows a `?` may be a signature, and servers repeat what they were sent.
fn without_secrets(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| word.split('?').next().unwrap_or_default());
    let mut text = words.collect::<Vec<_>>().join(" ");
    for (name, value) in env::vars() {
        let is_ours = ["AWS_", "AZURE_", "GOOGLE_"]
            .iter()
            .any(|start| name.starts_with(start));
        let is_secret = ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD"]
            .iter()
            .any(|part| name.contains(part));
        if is_ours && is_secret && value.len() >= 4 {
            text = text.replace(&value, "[secret]");
        }
    }
    text.chars()
        .filter(|sign| !sign.is_control())
        .take(SAID_SIGNS)
        .collect()
}
