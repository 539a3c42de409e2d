//! Loops compiled twice: for any processor, and for those with AVX2 and FMA, chosen when they run.

/// Defines `$name`, which runs `$body` compiled with AVX2 and FMA where the processor has them.
macro_rules! fast {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "kernels take slices")]
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, clippy::inline_always, reason = "compiled into both versions")]
            fn plain($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "kernels take slices")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    #[expect(unsafe_code, reason = "the processor has what the function was compiled for, as was just asked")]
                    return unsafe { wide($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    };
}

pub(crate) use fast;
