//! What is sampled beside the requests: names, units, and who tells it.

/// Something that was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// Share of the KV cache in use, in percent.
    KvUsed,
    /// Requests in work.
    Running,
    /// Requests that wait.
    Waiting,
    /// Memory in use, of all GPUs, in 10⁹ bytes.
    GpuMemory,
    /// Utilisation, mean of all GPUs, in percent.
    GpuUtilization,
    /// Power, of all GPUs, in watts.
    GpuPower,
    /// Clock of the processors of the slowest GPU, in megahertz.
    SmClock,
    /// Clock of the memory of the slowest GPU, in megahertz.
    MemoryClock,
    /// Temperature of the hottest GPU, in degrees Celsius.
    Temperature,
    /// Share of the time of all cores of perfgate's machine that was worked, in percent.
    HostCpu,
    /// Share of it that the hypervisor gave to others, in percent.
    HostSteal,
    /// Its load average over a minute.
    HostLoad,
    /// Its memory in use, in 10⁹ bytes.
    HostMemory,
    /// What came in over its networks, in 10⁶ bytes a second.
    HostReceived,
    /// What went out.
    HostSent,
}

/// Who tells of something that is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// The engine's page of metrics.
    Engine,
    /// A GPU.
    Gpu,
    /// The machine that perfgate ran on.
    Host,
}

impl Sampled {
    /// All of them, in the order in which they are drawn.
    pub const ALL: [Self; 15] = [
        Self::KvUsed,
        Self::Running,
        Self::Waiting,
        Self::GpuMemory,
        Self::GpuUtilization,
        Self::GpuPower,
        Self::SmClock,
        Self::MemoryClock,
        Self::Temperature,
        Self::HostCpu,
        Self::HostSteal,
        Self::HostLoad,
        Self::HostMemory,
        Self::HostReceived,
        Self::HostSent,
    ];

    /// As a heading.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KvUsed => "KV cache in use",
            Self::Running => "Requests in work",
            Self::Waiting => "Requests waiting in the engine",
            Self::GpuMemory => "GPU memory in use",
            Self::GpuUtilization => "GPU utilisation",
            Self::GpuPower => "GPU power",
            Self::SmClock => "SM clock",
            Self::MemoryClock => "GPU memory clock",
            Self::Temperature => "GPU temperature",
            Self::HostCpu => "CPU of the client's machine",
            Self::HostSteal => "CPU that the hypervisor took",
            Self::HostLoad => "Load of the client's machine",
            Self::HostMemory => "Memory of the client's machine",
            Self::HostReceived => "Network in",
            Self::HostSent => "Network out",
        }
    }

    /// Unit of its values; empty of counts.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::KvUsed | Self::GpuUtilization | Self::HostCpu | Self::HostSteal => "%",
            Self::Running | Self::Waiting | Self::HostLoad => "",
            Self::GpuMemory | Self::HostMemory => "GB",
            Self::HostReceived | Self::HostSent => "MB/s",
            Self::GpuPower => "W",
            Self::SmClock | Self::MemoryClock => "MHz",
            Self::Temperature => "°C",
        }
    }

    /// Whether it is its peak that matters, and not its mean.
    pub const fn is_peak(self) -> bool {
        matches!(
            self,
            Self::KvUsed | Self::Waiting | Self::GpuMemory | Self::Temperature | Self::HostLoad | Self::HostMemory
        )
    }

    /// Who tells it.
    pub const fn teller(self) -> Teller {
        match self {
            Self::KvUsed | Self::Running | Self::Waiting => Teller::Engine,
            Self::HostCpu
            | Self::HostSteal
            | Self::HostLoad
            | Self::HostMemory
            | Self::HostReceived
            | Self::HostSent => Teller::Host,
            _ => Teller::Gpu,
        }
    }
}
