//! The way to a server: from its name to the addresses that are connected to, and whether a key may go there.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::net::{TcpStream, lookup_host};

use super::forbidden;

/// Connects to a host. What was looked up is checked, and what was checked is connected to: asked again, a name may lead elsewhere.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    connect_to(lookup_host((host, port)).await?).await
}

async fn connect_to(found: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    TcpStream::connect(allowed(found)?.as_slice()).await
}

/// The addresses of a name, in its order, unless one of them is a cloud's own. Those of one link, which a name may have
/// beside others (mDNS), are left out.
fn allowed(found: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let is_of_a_link = |address: &SocketAddr| forbidden::is_of_a_link(address.ip());
    let (of_a_link, found): (Vec<SocketAddr>, Vec<SocketAddr>) = found.partition(is_of_a_link);
    let is_of_a_cloud = |address: &&SocketAddr| forbidden::is_address_of_a_cloud(address.ip());
    let refuse = |message: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    match (found.iter().find(is_of_a_cloud), of_a_link.first()) {
        (Some(address), _) => refuse(format!(
            "its name leads to `{}`, where a cloud tells its machines their credentials",
            address.ip()
        )),
        (None, Some(address)) if found.is_empty() => refuse(format!(
            "its name leads to `{}` and to no address beyond that link, where a cloud may tell its machines their \
             credentials",
            address.ip()
        )),
        _ => Ok(found),
    }
}

/// The same for all that is not measured.
pub(super) struct Checked;

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = allowed(lookup_host((name.as_str(), 0)).await?)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether nobody on the way can read what is sent to an address: it is encrypted, or stays on this machine.
pub fn is_private(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    url.scheme() == "https" || url.host_str().is_some_and(is_this_machine)
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            // What servers call "every address of mine" leads to this machine where it is asked for.
            address.is_loopback() || address.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn t11_a_name_that_leads_to_a_cloud_s_own_address_is_refused_the_second_time_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let cloud = SocketAddr::from((Ipv4Addr::new(169, 254, 169, 254), 80));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // One name, asked twice, whose owner changes the answer in between.
        let tried = |found: Vec<SocketAddr>| runtime.block_on(connect_to(found.into_iter()));
        assert_eq!(tried(vec![here]).unwrap().peer_addr().unwrap(), here);
        for found in [vec![cloud], vec![here, cloud]] {
            let error = tried(found).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("`169.254.169.254`"), "{error}");
        }
        assert!(listener.accept().is_ok());
        // mDNS gives the address of the link beside the machine's own.
        let link = SocketAddr::from((Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), here.port()));
        assert_eq!(allowed([link, here].into_iter()).unwrap(), [here]);
        assert_eq!(tried(vec![link, here]).unwrap().peer_addr().unwrap(), here);
        for (found, named) in [
            (vec![link], "`fe80::1`"),
            (vec![link, here, cloud], "`169.254.169.254`"),
        ] {
            let error = tried(found).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains(named), "{error}");
        }
        listener.set_nonblocking(true).unwrap();
        assert!(
            listener.accept().is_ok() && listener.accept().is_err(),
            "nothing was connected to"
        );
    }

    #[test]
    fn t11_a_key_stays_on_this_machine_or_goes_encrypted() {
        for url in [
            "https://api.example.com/v1",
            "http://127.0.0.1:8000",
            "http://127.8.8.8",
            "http://localhost:1",
            "http://vllm.localhost",
            "http://[::1]:8000/v1",
            "http://[::ffff:127.0.0.1]",
            "http://2130706433",
            "http://0.0.0.0:8000",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://10.0.0.5:8000",
            "http://gpu-box:8000",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://notlocalhost",
            "http://[fd00::1]",
            "",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
