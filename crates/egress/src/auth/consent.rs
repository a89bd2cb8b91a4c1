//! A person's consent: the address to open, and what comes back from it (RFC 6749 section 4.1, with PKCE, RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connector::Consent;
use guard::{Secret, redact};
use ring::digest;
use url::Url;

/// A consent that is asked for.
pub struct Asked {
    /// The address for the person to open. It holds no secret.
    pub address: String,
    state: String,
    pub(crate) redirect: String,
    /// What only whoever asked knows (RFC 7636 section 4.1); `None`: the vendor does not take it.
    pub(crate) verifier: Option<Secret>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What a consent gave.
#[derive(Debug)]
pub struct Consented {
    /// The first refresh token, to be kept.
    pub refresh: Secret,
    /// The scopes that were granted, where the answer names them.
    pub scopes: Option<Vec<String>>,
}

impl Asked {
    /// `at`: where consent is given. Both texts of `entropy` are used once.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn new(
        consent: &Consent,
        mut at: Url,
        client: &str,
        redirect: &str,
        entropy: [[u8; 32]; 2],
    ) -> Result<Self, String> {
        let back = Url::parse(redirect).map_err(|_| format!("the redirect {redirect:?} is no address"))?;
        if back.fragment().is_some() || !matches!(back.scheme(), "https" | "http") {
            return Err(format!("the redirect {redirect:?} is no http(s) address without `#`"));
        }
        let [state, verifier] = entropy.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        {
            let mut pairs = at.query_pairs_mut();
            pairs.append_pair("response_type", "code");
            pairs.append_pair("client_id", client);
            pairs.append_pair("redirect_uri", redirect);
            if !consent.scopes.is_empty() {
                pairs.append_pair("scope", &consent.scopes.join(" "));
            }
            pairs.append_pair("state", &state);
            if consent.pkce {
                pairs.append_pair("code_challenge", &challenge(&verifier));
                pairs.append_pair("code_challenge_method", "S256");
            }
            pairs.extend_pairs(&consent.more);
        }
        let verifier = consent.pkce.then(|| Secret::from(verifier));
        Ok(Self { address: at.into(), state, redirect: redirect.to_owned(), verifier })
    }

    /// The code out of what the person was led to: the whole address, whose state must be the one that was sent; or the code
    /// alone, where PKCE ties it to this asking.
    ///
    /// # Errors
    /// A text for people.
    pub fn code_in(&self, pasted: &str) -> Result<Secret, String> {
        let pasted = pasted.trim();
        if pasted.is_empty() {
            return Err("nothing was pasted; paste the address that the browser was led to".to_owned());
        }
        let Some(address) = Url::parse(pasted).ok().filter(|address| address.has_host()) else {
            if self.verifier.is_none() {
                let why = "a code alone could be anybody's: this vendor takes no PKCE; paste the whole address, with its state";
                return Err(why.to_owned());
            }
            return Ok(Secret::from(pasted));
        };
        let found = |name: &str| {
            address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let state = found("state").unwrap_or_default();
        // Compared once, for the person who asked: nobody can measure how long that takes.
        if state != self.state {
            let why =
                "its state is not the one that was sent: it is the answer to another asking; begin again";
            return Err(why.to_owned());
        }
        if let Some(error) = found("error") {
            let said = found("error_description").unwrap_or_default();
            return Err(format!(
                "consent was not given: {}",
                redact::text(format!("{error} {said}").trim(), 200)
            ));
        }
        let code = found("code").filter(|code| !code.is_empty());
        code.map(Secret::from).ok_or_else(|| "there is no code in it; paste all of the address".to_owned())
    }
}

/// RFC 7636 section 4.2.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    //! Addresses to open, and what is taken of those that come back.

    use std::collections::BTreeMap;

    use super::*;

    fn asked(pkce: bool) -> Asked {
        let consent = Consent {
            address: "/authorize".to_owned(),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            pkce,
            more: BTreeMap::from([("access_type".to_owned(), "offline".to_owned())]),
        };
        let at = Url::parse("https://id.example.test/authorize?tenant=1").unwrap();
        Asked::new(&consent, at, "client 1", "https://hub.example.test/back", [[1; 32], [2; 32]]).unwrap()
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn the_address_holds_all_but_the_verifier() {
        let asked = asked(true);
        let address = Url::parse(&asked.address).unwrap();
        let pairs: BTreeMap<String, String> = address.query_pairs().into_owned().collect();
        let verifier = URL_SAFE_NO_PAD.encode([2; 32]);
        let expected = [
            ("access_type", "offline".to_owned()),
            ("client_id", "client 1".to_owned()),
            ("code_challenge", challenge(&verifier)),
            ("code_challenge_method", "S256".to_owned()),
            ("redirect_uri", "https://hub.example.test/back".to_owned()),
            ("response_type", "code".to_owned()),
            ("scope", "read write".to_owned()),
            ("state", URL_SAFE_NO_PAD.encode([1; 32])),
            ("tenant", "1".to_owned()),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(pairs, BTreeMap::from(expected));
        assert!(!asked.address.contains(&verifier) && !format!("{asked:?}").contains(&verifier), "I15");
    }

    #[test]
    fn only_the_answer_to_this_asking_is_taken() {
        let (with, without) = (asked(true), asked(false));
        let state = URL_SAFE_NO_PAD.encode([1; 32]);
        let code = |asked: &Asked, pasted: &str| {
            asked.code_in(pasted).map(|code| code.expose_text().unwrap().to_owned())
        };
        let back = format!("https://hub.example.test/back?code=c%2F1&state={state}\n");
        assert_eq!(code(&with, &back), Ok("c/1".to_owned()));
        assert_eq!(code(&without, &back), Ok("c/1".to_owned()));
        assert_eq!(code(&with, " c/1 \n"), Ok("c/1".to_owned()));
        let refused = |asked: &Asked, pasted: &str| code(asked, pasted).unwrap_err();
        assert!(refused(&without, "c/1").contains("takes no PKCE"));
        for other in ["https://hub.example.test/back?code=c", "https://hub.example.test/back?code=c&state=x"]
        {
            assert!(refused(&with, other).contains("its state is not the one"), "{other}");
        }
        let denied = format!("https://hub.example.test/back?error=access_denied&state={state}");
        assert_eq!(refused(&with, &denied), "consent was not given: access_denied");
        assert!(refused(&with, &format!("https://hub.example.test/back?state={state}")).contains("no code"));
        assert!(refused(&with, "  ").contains("nothing was pasted"));
    }
}
