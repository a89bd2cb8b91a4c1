//! A look at JSON before it is parsed: size and nesting, over the raw bytes, without allocation.

/// Why a body is refused before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// More bytes than allowed.
    #[error("the body has {bytes} bytes, at most {bytes_max} are accepted; send less at once")]
    Bytes {
        /// Size of the body.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Objects and arrays nested deeper than allowed.
    #[error(
        "the JSON is nested deeper than {depth_max} levels (at byte {at}); flatten it or raise the limit"
    )]
    Depth {
        /// The bound.
        depth_max: usize,
        /// Offset of the bracket that went too deep.
        at: usize,
    },
}

/// Checks size and nesting of a JSON text. It does not check that the text is JSON: the parser does that.
///
/// `depth_max` counts open objects and arrays: `{"a":[1]}` has depth 2.
///
/// # Errors
/// [`TooMuch`] names the bound that was passed.
pub fn check_json(bytes: &[u8], depth_max: usize, bytes_max: usize) -> Result<(), TooMuch> {
    if bytes.len() > bytes_max {
        return Err(TooMuch::Bytes { bytes: bytes.len(), bytes_max });
    }
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return Err(TooMuch::Depth { depth_max, at });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
