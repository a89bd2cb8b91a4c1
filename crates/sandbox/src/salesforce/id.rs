//! Record ids: three letters for the object, twelve in base 62, and three more that keep the case of the first fifteen
//! where case gets lost. Both lengths name the same record [doc]; answers show 18.

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// A group of five letters as one, bit by bit which of them are capitals.
const CASES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The id of the `number`th record of an object with this prefix.
pub(super) fn write(prefix: &str, number: u64) -> String {
    let mut digits = Vec::new();
    let mut rest = number;
    while digits.len() < 8 {
        digits.push(letter(LETTERS, rest % 62));
        rest /= 62;
    }
    // Three letters for the instance, and one that is reserved.
    long(&format!("{prefix}5e00{}", digits.iter().rev().collect::<String>()))
}

/// The id of 18 letters that a text means; `None` when it is no id.
pub(super) fn read(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match text.len() {
        15 => Some(long(text)),
        18 => {
            let (short, suffix) = text.split_at(15);
            let cased = recase(short, suffix)?;
            Some(long(&cased))
        }
        _ => None,
    }
}

/// Fifteen letters and the three that say which of them are capitals.
fn long(short: &str) -> String {
    let suffix = short.as_bytes().chunks(5).map(|group| {
        let bits =
            group.iter().enumerate().map(|(at, byte)| u64::from(byte.is_ascii_uppercase()) << at).sum();
        letter(CASES, bits)
    });
    short.chars().chain(suffix).collect()
}

/// The fifteen letters in the case that the last three tell.
fn recase(short: &str, suffix: &str) -> Option<String> {
    let mut cased = String::new();
    for (group, mark) in short.as_bytes().chunks(5).zip(suffix.bytes()) {
        let bits = CASES.iter().position(|case| *case == mark.to_ascii_uppercase())?;
        for (at, byte) in group.iter().enumerate() {
            let capital = bits >> at & 1 == 1;
            if capital && !byte.is_ascii_alphabetic() {
                return None;
            }
            let byte = if capital { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
            cased.push(char::from(byte));
        }
    }
    Some(cased)
}

fn letter(alphabet: &[u8], index: u64) -> char {
    let byte = usize::try_from(index).ok().and_then(|index| alphabet.get(index));
    char::from(byte.copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_mean_one_record_whatever_became_of_the_case() {
        // From the vendor's own examples of both lengths.
        assert_eq!(read("0018a00001rBqb8").as_deref(), Some("0018a00001rBqb8AAC"));
        assert_eq!(read("0018a00001rBqb8AAC").as_deref(), Some("0018a00001rBqb8AAC"));
        assert_eq!(read("0018a00001rbqb8aac").as_deref(), Some("0018a00001rBqb8AAC"));
        assert_eq!(read("001Vr00000m4eGCIAY").as_deref(), Some("001Vr00000m4eGCIAY"));
        for wrong in
            ["", "001", "0018a00001rBqb8A", "0018a00001rBqb8AA9", "0018a00001rBqb-", "11111111111111111Z"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read("000000000000000").as_deref(), Some("000000000000000AAA"));
    }

    #[test]
    fn later_ids_are_greater() {
        let ids: Vec<String> = [1, 9, 10, 61, 62, 3843, 3844, 1_000_001].map(|n| write("003", n)).into();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 18 && read(id).as_ref() == Some(id)), "{ids:?}");
    }
}
