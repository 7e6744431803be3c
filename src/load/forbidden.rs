//! Addresses that are never a model server: there a cloud hands out its machine's credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names under which clouds serve what a machine may know of itself.
const NAMES: [&str; 4] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "instance-data.ec2.internal",
];

/// Alibaba's, and AWS's over IPv6.
const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether a host, as an address has it, is one of these.
pub(super) fn is_of_a_cloud(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => is_of_a_link(address) || is_address_of_a_cloud(address),
        Err(_) => NAMES.contains(&host.as_str()),
    }
}

/// The same of what a name leads to.
pub(super) fn is_address_of_a_cloud(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_local = matches!(address, IpAddr::V4(address) if address.is_link_local());
    is_local || ADDRESSES.contains(&address)
}

/// Whether it is an IPv6 address of one link (`fe80::…`): a cloud may listen there, and every machine has one beside its
/// own, which its name may lead to as well.
pub(super) fn is_of_a_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t11_metadata_services_are_refused_and_machines_are_not() {
        for host in [
            "169.254.169.254",
            "169.254.1.1",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[fe80::1]",
            "[FE80::1]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "Metadata.Google.Internal.",
        ] {
            assert!(is_of_a_cloud(host), "{host}");
        }
        for host in [
            "127.0.0.1",
            "localhost",
            "10.0.0.5",
            "[::1]",
            "gpu-box",
            "metadata.example.com",
            "169.253.1.1",
        ] {
            assert!(!is_of_a_cloud(host), "{host}");
        }
    }
}
