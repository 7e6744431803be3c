//! What sort of work a kernel is, told by its name.

/// A sort of work; two kernels of one family may stand in for each other (another library's, another tile size).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Matrix products.
    Gemm,
    /// Attention.
    Attention,
    /// Layer and RMS norms.
    Norm,
    /// Softmax, top-k and sampling outside of attention.
    Softmax,
    /// Copies, casts, concatenation, memsets, writes to the KV cache.
    Copy,
    /// Between devices.
    Communication,
    /// Sums and means.
    Reduction,
    /// One element after the other.
    Elementwise,
    /// A whole CUDA graph that was recorded as one event.
    Graph,
    /// None of these by its name.
    Other,
}

impl Family {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gemm => "gemm",
            Self::Attention => "attention",
            Self::Norm => "norm",
            Self::Softmax => "softmax",
            Self::Copy => "copy",
            Self::Communication => "communication",
            Self::Reduction => "reduction",
            Self::Elementwise => "elementwise",
            Self::Graph => "graph",
            Self::Other => "other",
        }
    }
}

/// Words in a name and what they tell; the first that is found decides.
const WORDS: &[(&str, Family)] = &[
    ("nccl", Family::Communication),
    ("rccl", Family::Communication),
    ("nvshmem", Family::Communication),
    ("all_reduce", Family::Communication),
    ("allreduce", Family::Communication),
    ("all_gather", Family::Communication),
    ("allgather", Family::Communication),
    ("reduce_scatter", Family::Communication),
    ("reducescatter", Family::Communication),
    ("alltoall", Family::Communication),
    ("all2all", Family::Communication),
    ("cross_device_reduce", Family::Communication),
    ("reshape_and_cache", Family::Copy),
    ("concat_and_cache", Family::Copy),
    ("flash", Family::Attention),
    ("fmha", Family::Attention),
    ("attention", Family::Attention),
    ("attn", Family::Attention),
    ("splitkv", Family::Attention),
    ("_mla_", Family::Attention),
    ("reduce_segments", Family::Attention),
    ("layernorm", Family::Norm),
    ("layer_norm", Family::Norm),
    ("rmsnorm", Family::Norm),
    ("rms_norm", Family::Norm),
    ("softmax", Family::Softmax),
    ("topk", Family::Softmax),
    ("top_k", Family::Softmax),
    ("sampling", Family::Softmax),
    ("argmax", Family::Softmax),
    ("gemm", Family::Gemm),
    ("cijk_", Family::Gemm),
    ("matmul", Family::Gemm),
    ("nvjet", Family::Gemm),
    ("gemv", Family::Gemm),
    ("splitkreduce", Family::Gemm),
    ("cutlass", Family::Gemm),
    ("memcpy", Family::Copy),
    ("memset", Family::Copy),
    ("copy", Family::Copy),
    ("catarray", Family::Copy),
    ("triton_red", Family::Reduction),
    ("triton_per", Family::Reduction),
    ("reduce", Family::Reduction),
    ("elementwise", Family::Elementwise),
    ("triton_poi", Family::Elementwise),
    ("silu", Family::Elementwise),
    ("gelu", Family::Elementwise),
    ("act_and_mul", Family::Elementwise),
    ("rotary", Family::Elementwise),
];

/// Operators of a framework whose names have none of these words.
const OPERATORS: &[(&[&str], Family)] = &[
    (
        &[
            "mm",
            "addmm",
            "bmm",
            "baddbmm",
            "addmv",
            "mv",
            "dot",
            "linear",
            "einsum",
            "_scaled_mm",
        ],
        Family::Gemm,
    ),
    (
        &[
            "cat",
            "clone",
            "contiguous",
            "to",
            "_to_copy",
            "stack",
            "index_put_",
            "repeat",
        ],
        Family::Copy,
    ),
    (
        &["sum", "mean", "amax", "amin", "max", "min", "cumsum"],
        Family::Reduction,
    ),
    (
        &[
            "add",
            "add_",
            "sub",
            "sub_",
            "mul",
            "mul_",
            "div",
            "div_",
            "pow",
            "rsqrt",
            "exp",
            "cos",
            "sin",
            "neg",
            "relu",
            "tanh",
            "sigmoid",
            "where",
            "fill_",
            "masked_fill",
            "masked_fill_",
            "zero_",
        ],
        Family::Elementwise,
    ),
];

/// The family that an operator's name tells (`aten::addmm`).
pub fn family_of_operator(name: &str) -> Family {
    let own = name.rsplit("::").next().unwrap_or(name);
    let found = OPERATORS.iter().find(|(names, _)| names.contains(&own));
    found.map_or_else(|| family_of(own), |(_, family)| *family)
}

/// The family that a kernel's name tells.
pub fn family_of(name: &str) -> Family {
    let name = name.to_ascii_lowercase();
    let found = WORDS.iter().find(|(word, _)| name.contains(word));
    // Inductor's names list what was fused, copies among them: one loop over elements all the same.
    match found {
        Some((_, Family::Copy)) if name.starts_with("triton_poi") => Family::Elementwise,
        Some((_, Family::Copy)) if name.starts_with("triton_") => Family::Reduction,
        found => found.map_or(Family::Other, |(_, family)| *family),
    }
}

/// Kernels of `ATen` that are told apart by what they apply to each element.
const APPLYING: [&str; 3] = ["elementwise_kernel", "reduce_kernel", "gather_kernel"];

/// What such kernels take in between, which tells nothing.
const WRAPPERS: [&str; 3] = ["BinaryFunctor", "AUnaryFunctor", "BUnaryFunctor"];

/// A name that a person can read: without return type, namespaces, template arguments and parameters, but with what an
/// elementwise kernel of `ATen` applies (`vectorized_elementwise_kernel(silu_kernel)`).
pub fn short_name(name: &str) -> String {
    let plain = name.replace("(anonymous namespace)::", "");
    let plain = plain.strip_prefix("void ").unwrap_or(&plain);
    let end = plain.find(['<', '(']).unwrap_or(plain.len());
    let (base, rest) = plain.split_at(end);
    if rest.is_empty() || base.is_empty() || base.contains(' ') {
        return name.to_owned();
    }
    let own = base.rsplit("::").next().unwrap_or(base);
    if !APPLYING.iter().any(|word| own.contains(word)) {
        return own.to_owned();
    }
    applied(rest).map_or_else(|| own.to_owned(), |applied| format!("{own}({applied})"))
}

/// The functor in an `ATen` kernel's template arguments.
fn applied(arguments: &str) -> Option<&str> {
    arguments
        .split(|sign: char| !sign.is_alphanumeric() && sign != '_')
        .filter(|word| !WRAPPERS.contains(word) && !word.starts_with("gpu_kernel_impl"))
        .find(|word| {
            word.ends_with("Functor")
                || word.starts_with("CUDAFunctor")
                || word.ends_with("_kernel_cuda")
                || word.ends_with("_kernel_impl")
                || word.ends_with("_kernel")
                || (word.ends_with("Ops") && word.len() > 3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_family() {
        for (name, family) in [
            (
                "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
                Family::Communication,
            ),
            (
                "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 2>(vllm::RankData*)",
                Family::Communication,
            ),
            (
                "void pytorch_flash::flash_fwd_kernel<cutlass::bfloat16_t>(Params)",
                Family::Attention,
            ),
            ("kernel_unified_attention_2d", Family::Attention),
            (
                "void vllm::reshape_and_cache_flash_kernel<__hip_bfloat16>()",
                Family::Copy,
            ),
            ("rms_norm_kernel", Family::Norm),
            ("softmax_warp_forward", Family::Softmax),
            (
                "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_cublas",
                Family::Gemm,
            ),
            ("Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT32x32x256", Family::Gemm),
            ("Memcpy DtoH (Device -> Pinned)", Family::Copy),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::bfloat16_copy_kernel_cuda(at::T&)>()",
                Family::Copy,
            ),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >()",
                Family::Elementwise,
            ),
            ("triton_poi_fused__to_copy_1", Family::Elementwise),
            ("triton_red_fused__to_copy_add_mean_pow_0", Family::Reduction),
            ("silu_and_mul_kernel", Family::Elementwise),
            ("something_new", Family::Other),
        ] {
            assert_eq!(family_of(name), family, "{name}");
        }
    }

    #[test]
    fn an_operators_name_tells_the_family() {
        for (name, family) in [
            ("aten::addmm", Family::Gemm),
            ("aten::copy_", Family::Copy),
            ("aten::scaled_dot_product_attention", Family::Attention),
            ("aten::_scaled_dot_product_flash_attention_for_cpu", Family::Attention),
            ("aten::native_layer_norm", Family::Norm),
            ("aten::_softmax", Family::Softmax),
            ("aten::mul_", Family::Elementwise),
            ("aten::empty", Family::Other),
            ("sim::step", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(family_of_operator(name), family, "{name}");
        }
    }

    #[test]
    fn a_normal_distribution_is_no_norm() {
        assert_eq!(family_of("distribution_nullary_kernel_normal"), Family::Other);
    }

    #[test]
    fn a_short_name_says_what_is_applied() {
        for (name, short) in [
            ("sm90_gemm_bf16_128x128", "sm90_gemm_bf16_128x128"),
            ("Memcpy DtoH (Device -> Pinned)", "Memcpy DtoH (Device -> Pinned)"),
            (
                "void pytorch_flash::flash_fwd_kernel<traits<64, 128>, true>(Params)",
                "flash_fwd_kernel",
            ),
            (
                "void at::native::(anonymous namespace)::CatArrayBatchedCopy<at::native::(anonymous namespace)::OpaqueType<2u>, unsigned int, 4>(x)",
                "CatArrayBatchedCopy",
            ),
            (
                "void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl_nocast<at::native::BinaryFunctor<float, float, float, at::native::binary_internal::MulFunctor<float> > >(at::TensorIteratorBase&)",
                "elementwise_kernel(MulFunctor)",
            ),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::bfloat16_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda(float)#1}, std::array<char*, 2ul> >(int)",
                "vectorized_elementwise_kernel(bfloat16_copy_kernel_cuda)",
            ),
            (
                "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float, float, float, float>, unsigned int, float, 4> >(x)",
                "reduce_kernel(MeanOps)",
            ),
        ] {
            assert_eq!(short_name(name), short);
        }
    }
}
