//! The trace that a request belongs to (W3C Trace Context): an untrusted hint that only ever becomes an id.

use http::HeaderMap;

/// The trace id of the header `traceparent`; `None` when there is none that is valid.
pub(crate) fn of(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("traceparent").iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    id(value.to_str().ok()?).map(str::to_owned)
}

/// `00-<32>-<16>-<2>`, lower-case hexadecimal. A higher version may go on behind these 55 characters.
fn id(text: &str) -> Option<&str> {
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let head = text.get(..55)?;
    let more = &text[55..];
    let mut parts = head.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let lengths = (version.len(), id.len(), parent.len(), flags.len()) == (2, 32, 16, 2);
    let form = lengths && [version, id, parent, flags].into_iter().all(hex) && parts.next().is_none();
    let set = |part: &str| part.bytes().any(|b| b != b'0');
    let known = match version {
        "ff" => false,
        "00" => more.is_empty(),
        _ => more.is_empty() || more.starts_with('-'),
    };
    (form && known && set(id) && set(parent)).then_some(id)
}

#[cfg(test)]
mod tests {
    //! The header's form, to the letter.
    use super::id;

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn valid_ones_give_their_id() {
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(id(text), Some(ID), "{text}");
        }
    }

    #[test]
    fn others_are_ignored() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
            "00-0af7651916cd43dd8448eb211c80319cb7ad6b71-69203331x-01",
            "00-0af7651916cd43dd8448eb211c8031é-b7ad6b7169203331-01x",
        ] {
            assert_eq!(id(text), None, "{text}");
        }
    }
}
