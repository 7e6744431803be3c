//! What is looked at while a run goes on: GPUs, this machine, the engine's pages of metrics.

use crate::{
    commands::{
        Console,
        engine::{self, Engine},
    },
    load::Runner,
    session::{GpuUse, HostUse, Telemetry},
    telemetry::{HostWatch, RunClock, Sampler, StealWatch},
};

/// Samplers at work.
pub(in crate::commands) struct Beside {
    engine: Engine,
    host: HostWatch,
    sampler: Sampler,
    steal: StealWatch,
}

/// What they saw, as a run keeps it.
pub(in crate::commands) struct Seen {
    pub(in crate::commands) gpu: GpuUse,
    pub(in crate::commands) telemetry: Telemetry,
    pub(in crate::commands) host: HostUse,
}

impl Beside {
    /// A run is about to begin, on a clock that knows when.
    pub(in crate::commands) fn begin(runner: &Runner, clock: &RunClock, console: &dyn Console) -> Self {
        let mut engine = Engine::of(runner);
        engine.begin(clock);
        let mut host = HostWatch::default();
        host.begin(clock);
        let (sampler, steal) = (engine::gpu_sampler(runner, clock), StealWatch::start());
        console.gpu(sampler.now());
        Self {
            engine,
            host,
            sampler,
            steal,
        }
    }

    /// It is over.
    pub(in crate::commands) fn end(self) -> Seen {
        let (cpu_steal, seen) = (self.steal.stop(), self.sampler.stop());
        let engine = self.engine.finish();
        Seen {
            gpu: seen.gpu,
            telemetry: Telemetry {
                host: self.host.finish(),
                gpus: seen.series,
                engine,
                logged_kv_tokens: None,
            },
            host: HostUse {
                cpu_steal,
                throttled: seen.throttled,
                gpu_untold: seen.untold,
                gpu_memory_errors: seen.memory_errors,
                foreign_gpu_processes: seen.new_processes,
                ..HostUse::default()
            },
        }
    }
}
