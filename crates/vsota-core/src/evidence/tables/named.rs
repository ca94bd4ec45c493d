//! The name of a kernel: as the tables show it, and the part of it that says what it does.

use alloc::string::String;

/// A name with its white space collapsed, addresses replaced and the parameters of a C++ function
/// left out. Template arguments stay.
pub fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        addresses(&mut out, word);
    }
    if out.starts_with("void ")
        && out.ends_with(')')
        && let Some(open) = last_group(&out)
    {
        out.truncate(open);
    }
    out
}

fn addresses(out: &mut String, word: &str) {
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("0x") {
        out.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(if digits == 0 { "0x" } else { "0xADDR" });
        rest = after.get(digits..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Where the last balanced group in parentheses opens.
fn last_group(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The function's own name: without return type, template arguments and parameters.
pub fn base_name(name: &str) -> &str {
    // The last word outside brackets, up to its first bracket. Inside parentheses `<` and `>` may
    // compare; they count only outside.
    let (mut round, mut angle, mut start, mut end, mut fresh) = (0_i32, 0_i32, 0, name.len(), true);
    let starts = |at: usize| {
        let rest = name.get(at..).unwrap_or_default();
        rest.starts_with(|c: char| c.is_alphabetic() || c == '_') && !rest.starts_with("const")
    };
    let unnamed =
        |at: usize| name.get(at..).is_some_and(|it| it.starts_with("(anonymous namespace)"));
    for (at, byte) in name.bytes().enumerate() {
        let outside = round == 0 && angle == 0;
        match byte {
            // `(anonymous namespace)` is part of the path, not the parameters.
            b'<' | b'(' if outside && fresh && !unnamed(at) => (end, fresh) = (at, false),
            b' ' if outside && starts(at + 1) => (start, end, fresh) = (at + 1, name.len(), true),
            // `a<b>::type` and `a<b>::c<d>`: the path goes on behind the arguments.
            b':' if outside && !fresh && starts(at + 1) => {
                (start, end, fresh) = (at + 1, name.len(), true);
            }
            _ => {}
        }
        match byte {
            b'(' => round += 1,
            b')' => round -= 1,
            b'<' if round == 0 => angle += 1,
            b'>' if round == 0 => angle -= 1,
            _ => {}
        }
    }
    name.get(start..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_and_template_arguments_stay() {
        let cases = [
            ("void f<int, g(3)>(int*, h (*)(int))", "void f<int, g(3)>"),
            ("f(int)", "f(int)"),
            ("  a \n b\t0x7fAB c 0x ", "a b 0xADDR c 0x"),
            ("void f()", "void f"),
            ("void broken)", "void broken)"),
        ];
        for (name, expected) in cases {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn the_base_name_is_the_functions_own() {
        let cases = [
            (
                "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, (vllm::Fp8KVCacheDataType)0>(a)",
                "vllm::reshape_and_cache_flash_kernel",
            ),
            (
                "made::enable_if<(((8)>(0)))&&vllm::_typeConvert<c10::BFloat16>::exists, void>::type vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8>(x)",
                "vllm::fused_add_rms_norm_kernel",
            ),
            ("nvjet_tst_64x64_TNT", "nvjet_tst_64x64_TNT"),
            (
                "void at::native::(anonymous namespace)::max_pool<float>",
                "at::native::(anonymous namespace)::max_pool",
            ),
            (
                "ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*, unsigned long)",
                "ncclKernel_AllReduce_RING_LL_Sum_float",
            ),
        ];
        for (name, expected) in cases {
            assert_eq!(base_name(name), expected, "{name}");
        }
    }
}
