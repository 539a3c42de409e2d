//! Loops compiled several times: for any processor, and for those with wider registers, chosen when they run.

/// Defines `$name`, which runs `$body` compiled with AVX2 and FMA where the processor has them; after `avx512:` also with AVX-512 (not all loops
/// gain by it).
macro_rules! fast {
    (avx512: $(#[$doc:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $crate::micrographs::kernels::simd::versions! {
            [("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma": "avx512f" "avx512bw" "avx512dq" "avx512vl") ("avx2,fma": "avx2" "fma")]
            $(#[$doc])* $visibility fn $name($($argument: $type),*) $(-> $result)? $body
        }
    };
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $crate::micrographs::kernels::simd::versions! {
            [("avx2,fma": "avx2" "fma")]
            $(#[$doc])* $visibility fn $name($($argument: $type),*) $(-> $result)? $body
        }
    };
}

/// The versions of a function for lists of features, the best first, and the choice among them.
macro_rules! versions {
    ([$(($features:literal: $($feature:tt)+))+]
     $(#[$doc:meta])* $visibility:vis fn $name:ident $arguments:tt $(-> $result:ty)? $body:block) => {
        $crate::micrographs::kernels::simd::versions! { @one $(($features: $($feature)+))+; $(#[$doc])* $visibility fn $name $arguments $arguments [$(-> $result)?] [$(-> $result)?] $body }
    };
    (@one $(($features:literal: $($feature:tt)+))+;
     $(#[$doc:meta])* $visibility:vis fn $name:ident ($($argument:ident: $type:ty),*) $arguments:tt [$(-> $result:ty)?] $tail:tt $body:block) => {
        $(#[$doc])*
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "kernels take slices")]
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, clippy::inline_always, reason = "compiled into all versions")]
            fn plain($($argument: $type),*) $(-> $result)? $body

            $($crate::micrographs::kernels::simd::versions! { @try $features [$($feature)+] $arguments $tail })+
            plain($($argument),*)
        }
    };
    (@try $features:literal [$($feature:tt)+] ($($argument:ident: $type:ty),*) [$(-> $result:ty)?]) => {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = $features)]
            #[allow(clippy::too_many_arguments, reason = "kernels take slices")]
            fn wide($($argument: $type),*) $(-> $result)? {
                plain($($argument),*)
            }
            if $(std::is_x86_feature_detected!($feature))&&+ {
                #[expect(unsafe_code, reason = "the processor has what the function was compiled for, as was just asked")]
                return unsafe { wide($($argument),*) };
            }
        }
    };
}

pub(crate) use {fast, versions};
