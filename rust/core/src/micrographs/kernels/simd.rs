//! Loops compiled several times: for any processor, and for those with wider registers, chosen when they run. The result is the same:
//! nothing is added up in another order, and no two roundings become one. With the feature `plain`, for tests, only the first is compiled.

/// Defines a function compiled with AVX2 and FMA where the processor has them; after `avx512:` also with AVX-512 (not all loops gain by
/// it).
macro_rules! fast {
    (avx512: $($function:tt)+) => {
        #[cfg_attr(not(feature = "plain"), multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma")))]
        $($function)+
    };
    ($($function:tt)+) => {
        #[cfg_attr(not(feature = "plain"), multiversion::multiversion(targets("x86_64+avx2+fma")))]
        $($function)+
    };
}

pub(crate) use fast;
