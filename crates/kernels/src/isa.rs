//! Instruction sets: which are built, which this processor has, and which one is used.

/// An instruction set that kernels are built for. Later ones are better.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Isa {
    /// What the target always has: SSE2 on x86-64, NEON on aarch64.
    Base,
    /// AVX2 and FMA (x86-64-v3).
    Avx2,
    /// AVX-512 F, VL, BW and DQ (x86-64-v4).
    Avx512,
}

impl Isa {
    /// All of them, worst first.
    pub const ALL: [Isa; 3] = [Isa::Base, Isa::Avx2, Isa::Avx512];

    /// Its name, as `PULLBACK_ISA` takes it.
    pub fn name(self) -> &'static str {
        ["base", "avx2", "avx512"][self as usize]
    }

    /// True where kernels for it were built and this processor runs them.
    pub fn available(self) -> bool {
        match self {
            Isa::Base => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
            }
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The best set of this processor, or the one named.
    ///
    /// # Errors
    /// Where the name is unknown or the processor lacks the set: a forced test must not test another one.
    pub fn choose(name: Option<&str>) -> Result<Isa, String> {
        let mut best = Isa::ALL.into_iter().rev().filter(|isa| isa.available());
        let Some(name) = name else { return Ok(best.next().unwrap_or(Isa::Base)) };
        best.find(|isa| isa.name() == name).ok_or_else(|| {
            let known: Vec<&str> =
                Isa::ALL.iter().filter(|isa| isa.available()).map(|isa| isa.name()).collect();
            format!("expected an instruction set of this processor ({}), got '{name}'", known.join(", "))
        })
    }
}

/// What kernel bodies may ask of the set they are compiled for.
pub trait Target {
    /// True where `mul_add` is one instruction. Elsewhere it is a call into the C library, 40 times slower.
    const FMA: bool;
}

/// Kernels without fused multiply-add.
pub struct Plain;
/// Kernels with fused multiply-add.
pub struct Fused;

impl Target for Plain {
    const FMA: bool = false;
}
impl Target for Fused {
    const FMA: bool = true;
}
