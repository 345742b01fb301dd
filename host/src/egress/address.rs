//! Which addresses are public, by IANA's registries of special-purpose addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address to which no request goes, or only where the operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    address: IpAddr,
    /// What kind of address it is: `a loopback address`.
    pub kind: &'static str,
    /// Whether it is one of this machine or of a private network, to which `allow_private` opens the way.
    pub is_private: bool,
}

impl Refused {
    /// What to say of a URL that leads there, without the address.
    pub fn of_url(&self) -> &'static str {
        match self.is_private {
            true => {
                "leads to this machine or into a private network: add allow_private = true beside it if that is meant"
            }
            false => "leads to an address that is not public (link-local, metadata, multicast, reserved)",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, ", self.address, self.kind)?;
        match self.is_private {
            true => f.write_str("where requests go only with allow_private = true"),
            false => f.write_str("where no request goes"),
        }
    }
}

/// A block of addresses that are not public.
struct Block<A> {
    first: A,
    bits: u32,
    kind: &'static str,
    is_private: bool,
}

const fn never<A>(first: A, bits: u32, kind: &'static str) -> Block<A> {
    Block { first, bits, kind, is_private: false }
}

const fn private<A>(first: A, bits: u32, kind: &'static str) -> Block<A> {
    Block { first, bits, kind, is_private: true }
}

const METADATA: &str = "the metadata service of a cloud";
const DOCUMENTATION: &str = "an address for documentation";

/// The first that holds an address decides.
const V4: &[Block<Ipv4Addr>] = &[
    // Clouds hand out credentials here: Alibaba inside the shared addresses, Azure inside the public ones. Others
    // do it at 169.254.169.254 and 192.0.0.192, which are refused below.
    never(Ipv4Addr::new(100, 100, 100, 200), 32, METADATA),
    never(Ipv4Addr::new(168, 63, 129, 16), 32, METADATA),
    // RFC 791 and RFC 1122, section 3.2.1.3. Connecting to 0.0.0.0 reaches this machine.
    never(Ipv4Addr::new(0, 0, 0, 0), 8, "an unspecified address"),
    // RFC 1918
    private(Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    private(Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    private(Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    // RFC 6598: carrier-grade NAT
    private(Ipv4Addr::new(100, 64, 0, 0), 10, "a shared address"),
    // RFC 1122
    private(Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    // RFC 2544
    private(Ipv4Addr::new(198, 18, 0, 0), 15, "an address of a test network"),
    // RFC 3927
    never(Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    // RFC 6890
    never(Ipv4Addr::new(192, 0, 0, 0), 24, "a reserved address"),
    // RFC 5737
    never(Ipv4Addr::new(192, 0, 2, 0), 24, DOCUMENTATION),
    never(Ipv4Addr::new(198, 51, 100, 0), 24, DOCUMENTATION),
    never(Ipv4Addr::new(203, 0, 113, 0), 24, DOCUMENTATION),
    // RFC 7526: relays of 6to4
    never(Ipv4Addr::new(192, 88, 99, 0), 24, "a reserved address"),
    // RFC 5771
    never(Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    // RFC 1112 and RFC 919, the broadcast address among them
    never(Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

const V6: &[Block<Ipv6Addr>] = &[
    // Amazon and Google, inside the unique local addresses.
    never(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, METADATA),
    never(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, METADATA),
    // RFC 4291
    private(Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    never(Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    never(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link-local address"),
    never(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast address"),
    // RFC 4193
    private(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "a unique local address"),
    // RFC 2928: protocol assignments, Teredo (RFC 4380) among them
    never(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a reserved address"),
    // RFC 3849 and RFC 9637
    never(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, DOCUMENTATION),
    never(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, DOCUMENTATION),
];

/// RFC 4291: what is in use for single hosts of the internet. What is outside is reserved.
const GLOBAL_UNICAST: Block<Ipv6Addr> =
    never(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, "a reserved address");

/// Why an address is not public; `None` if it is.
pub(super) fn refusal(address: IpAddr) -> Option<Refused> {
    let found = match address {
        IpAddr::V4(v4) => of_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => of_v4(v4),
            None => of_v6(v6),
        },
    };
    found.map(|(kind, is_private)| Refused { address, kind, is_private })
}

fn of_v4(address: Ipv4Addr) -> Option<(&'static str, bool)> {
    let shared = |first: Ipv4Addr| (first.to_bits() ^ address.to_bits()).leading_zeros();
    let block = V4.iter().find(|block| shared(block.first) >= block.bits)?;
    Some((block.kind, block.is_private))
}

fn of_v6(address: Ipv6Addr) -> Option<(&'static str, bool)> {
    let is_in =
        |block: &Block<Ipv6Addr>| (block.first.to_bits() ^ address.to_bits()).leading_zeros() >= block.bits;
    match V6.iter().find(|block| is_in(block)) {
        Some(block) => Some((block.kind, block.is_private)),
        None if is_in(&GLOBAL_UNICAST) => None,
        None => Some((GLOBAL_UNICAST.kind, GLOBAL_UNICAST.is_private)),
    }
}

/// The IPv4 address that packets to an IPv6 address may end up at.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // RFC 4291, section 2.5.5.2: IPv4-mapped
        [0, 0, 0, 0, 0, 0xffff, high, low]
        // RFC 6052: NAT64
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // RFC 3056: 6to4
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        // IPv4-compatible addresses, RFC 4291, section 2.5.5.1, are gone and refused as what is reserved.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], expected: Option<(&str, bool)>) {
        for address in addresses {
            let found = refusal(address.parse().expect(address));
            let found = found.map(|refused| (refused.kind, refused.is_private));
            assert_eq!(found, expected, "{address}");
        }
    }

    #[test]
    fn what_is_on_the_internet_is_public() {
        check(&["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"], None);
        check(&["126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255"], None);
        check(&["172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"], None);
        check(&["198.20.0.0", "223.255.255.255", "168.63.129.15", "203.0.114.0"], None);
        check(&["2001:200::1", "2606:4700::1111", "2a00:1450::", "3ffe::1", "2001:db9::"], None);
        check(&["::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"], None);
    }

    #[test]
    fn what_is_at_home_is_private() {
        let private = Some(("a private address", true));
        check(&["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.255.255"], private);
        check(&["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "::ffff:a00:1"], private);
        check(&["127.0.0.1", "127.255.255.255", "::1"], Some(("a loopback address", true)));
        check(&["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"], Some(("a loopback address", true)));
        check(&["100.64.0.0", "100.127.255.255"], Some(("a shared address", true)));
        check(&["fc00::", "fdff:ffff::1"], Some(("a unique local address", true)));
        check(&["198.18.0.1", "198.19.255.255"], Some(("an address of a test network", true)));
    }

    #[test]
    fn the_rest_is_nowhere_to_go() {
        check(
            &["169.254.169.254", "169.254.0.0", "fe80::1", "febf::1"],
            Some(("a link-local address", false)),
        );
        check(&["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"], Some(("a link-local address", false)));
        check(&["2002:a9fe:a9fe::1"], Some(("a link-local address", false)));
        check(
            &["100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"],
            Some((METADATA, false)),
        );
        check(&["::ffff:100.100.100.200"], Some((METADATA, false)));
        check(&["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"], Some(("an unspecified address", false)));
        check(&["224.0.0.1", "239.255.255.255", "ff02::1"], Some(("a multicast address", false)));
        check(&["192.0.2.1", "198.51.100.1", "203.0.113.1"], Some((DOCUMENTATION, false)));
        check(&["2001:db8::1", "3fff:fff::1"], Some((DOCUMENTATION, false)));
        let reserved = Some(("a reserved address", false));
        check(&["192.0.0.192", "192.88.99.1", "240.0.0.1", "255.255.255.255"], reserved);
        // IPv4-compatible, translated (RFC 2765), NAT64 of one's own (RFC 8215), Teredo, what nobody has
        check(&["::7f00:1", "::127.0.0.2", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "2001::1"], reserved);
        check(&["fec0::1", "100::1", "4000::1", "5f00::1", "1fff::1"], reserved);
    }
}
