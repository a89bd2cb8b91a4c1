//! A veil over a connection's own credentials: what others repeat of them goes before anybody reads it.
//!
//! Vendors do repeat them: `Invalid API key: …` stands in many a refusal, and a refusal goes into logs, dead letters and views.
//! A credential is found as it is, and as JSON, XML, an address, a form or base64 writes it, also in the middle of
//! something longer that is base64 (`user:password`).

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::secret::REDACTED;

/// Shorter pieces of base64 stand in other texts, too.
const BASE64_CHARS_MIN: usize = 8;

/// Takes credentials out of what others say. It holds copies of them, and shows none.
#[derive(Clone, Default)]
pub struct Veil(Option<AhoCorasick>);

impl Veil {
    /// A veil over credentials of at least `bytes_min` bytes: shorter ones are left out, since they stand in other texts by chance.
    /// So is what has several lines (a private key, which is sent to nobody).
    #[must_use]
    pub fn over<'s>(credentials: impl IntoIterator<Item = &'s str>, bytes_min: usize) -> Self {
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for credential in credentials {
            let credential = credential.trim();
            if credential.len() >= bytes_min.max(1) && !credential.contains(['\n', '\r']) {
                needles.extend(forms(credential));
            }
        }
        needles.sort_unstable();
        needles.dedup();
        if needles.is_empty() {
            return Self(None);
        }
        // What is found first and longest goes, so that no rest of a longer form stays. Tokens may be long and have many forms:
        // a table of all bytes in all states would take megabytes for each system.
        let mut finder = AhoCorasick::builder();
        finder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA));
        Self(finder.build(needles).ok())
    }

    /// The bytes without them. They are copied only if something is found.
    #[must_use]
    pub fn bytes(&self, raw: Vec<u8>) -> Vec<u8> {
        let Some(finder) = self.0.as_ref().filter(|finder| finder.is_match(&raw)) else { return raw };
        let mut out = Vec::with_capacity(raw.len());
        let mut rest = 0;
        for found in finder.find_iter(&raw) {
            out.extend_from_slice(raw.get(rest..found.start()).unwrap_or_default());
            out.extend_from_slice(REDACTED.as_bytes());
            rest = found.end();
        }
        out.extend_from_slice(raw.get(rest..).unwrap_or_default());
        out
    }

    /// The text without them.
    #[must_use]
    pub fn text(&self, raw: String) -> String {
        // A credential is text, and so nothing is cut in the middle of a character.
        String::from_utf8(self.bytes(raw.into_bytes()))
            .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
    }
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Veil")
    }
}

/// Every way in which a credential is written.
fn forms(credential: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(credential).to_string();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let html = credential.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms = vec![
        credential.to_owned(),
        html.replace('"', "&quot;").replace('\'', "&apos;"),
        html.replace('"', "&#34;").replace('\'', "&#39;"),
        html,
    ];
    // As Go and others write JSON that may stand in a page, and as PHP does.
    let of_page = json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    for json in [json, of_page] {
        forms.push(json.replace('/', "\\/"));
        forms.push(json);
    }
    for upper in [true, false] {
        let whole = percent(credential, upper);
        forms.push(whole.replace("%20", "+"));
        forms.push(whole);
    }
    let mut forms: Vec<Vec<u8>> = forms.into_iter().map(String::into_bytes).collect();
    forms.extend(base64(credential.as_bytes()));
    forms
}

/// As RFC 3986 writes it.
fn percent(text: &str, upper: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

/// What of it stands in base64 whatever is before and behind it: three bytes become four characters, so that there are three ways.
fn base64(credential: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3_usize {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(credential);
        // Characters that also hold bits of what is before or behind it say something else each time.
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let piece = text.get(first..last).unwrap_or_default();
            if piece.len() >= BASE64_CHARS_MIN {
                forms.push(piece.as_bytes().to_vec());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sk&live/4 <\"x\">+9é";

    fn veiled(said: &str) -> String {
        Veil::over([KEY], 4).text(said.to_owned())
    }

    #[test]
    fn a_credential_goes_in_every_writing() {
        let json = serde_json::json!({ "key": KEY }).to_string();
        for said in [
            KEY.to_owned(),
            json.clone(),
            json.replace('/', "\\/"),
            json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
            "sk&amp;live/4 &lt;&quot;x&quot;&gt;+9é".to_owned(),
            "sk&amp;live/4 &lt;&#34;x&#34;&gt;+9é".to_owned(),
            "sk%26live%2F4%20%3C%22x%22%3E%2B9%C3%A9".to_owned(),
            "sk%26live%2f4+%3c%22x%22%3e%2b9%c3%a9".to_owned(),
            STANDARD.encode(KEY),
        ] {
            let shown = veiled(&format!("before {said} behind {said}!"));
            assert!(shown.starts_with("before ") && shown.contains(REDACTED), "{shown}");
            assert!(!shown.contains("live") && !shown.contains("c2smbGl2Z"), "{said} stays in {shown}");
        }
        assert_eq!(veiled("nothing of it"), "nothing of it");
        assert_eq!(veiled("the key sk&live/4 <\"x\">+9é?"), "the key [redacted]?");
    }

    #[test]
    fn short_ones_and_long_keys_are_left_out() {
        let veil = Veil::over(["abc", "", "  ", "-----BEGIN KEY-----\nabcd\n", "abcd\n"], 4);
        assert_eq!(
            veil.text("abc abcd -----BEGIN KEY-----".to_owned()),
            "abc [redacted] -----BEGIN KEY-----"
        );
        assert_eq!(Veil::default().text("abcd".to_owned()), "abcd");
        assert_eq!(format!("{:?}", Veil::over(["abcdefgh"], 4)), "Veil");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_of_it_stays_in_base64(before in "[a-z]{0,7}", key in "[ -~]{14,40}", behind in "[a-z]{0,7}") {
            let key = key.trim();
            prop_assume!(key.len() >= 12);
            let text = STANDARD.encode(format!("{before}{key}{behind}"));
            let shown = Veil::over([key], 4).text(text);
            prop_assert!(shown.contains(REDACTED), "{shown}");
            // At most a few bits at its ends.
            let rest: usize = shown.replace(REDACTED, "").len();
            prop_assert!(rest <= (before.len() + behind.len()) * 4 / 3 + 8, "{shown}");
        }

        #[test]
        fn any_bytes_are_taken(raw in proptest::collection::vec(any::<u8>(), 0..200), key in "\\PC{4,20}") {
            let veil = Veil::over([key.as_str()], 4);
            let mut around = raw.clone();
            around.extend_from_slice(key.trim().as_bytes());
            let shown = veil.bytes(around);
            if key.trim().len() >= 4 {
                prop_assert!(!shown.windows(key.trim().len()).any(|part| part == key.trim().as_bytes()));
            }
        }
    }
}
