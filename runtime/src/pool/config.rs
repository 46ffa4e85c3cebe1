//! How instances get what they consist of.

/// Where the memories of instances come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum InstanceAllocationStrategy {
    /// Address space is reserved for each memory and given back with its store.
    #[default]
    OnDemand,
    /// Address space is kept for the next instance, within limits for the whole engine.
    Pooling(PoolingAllocationConfig),
}

/// The limits of [`InstanceAllocationStrategy::Pooling`].
///
/// For hosts that make an instance for each request. A memory that is no longer used keeps its
/// address space with the initial contents of its module mapped there; the next instance of that
/// module costs one system call, whatever the size of the module.
#[derive(Clone, Debug)]
pub struct PoolingAllocationConfig {
    pub(crate) total_core_instances: u32,
    pub(crate) total_memories: u32,
    pub(crate) total_tables: u32,
    pub(crate) max_unused_warm_slots: u32,
    pub(crate) max_core_instance_size: usize,
    pub(crate) max_memory_size: usize,
    pub(crate) table_elements: usize,
}

impl Default for PoolingAllocationConfig {
    fn default() -> PoolingAllocationConfig {
        PoolingAllocationConfig {
            total_core_instances: 1000,
            total_memories: 1000,
            total_tables: 1000,
            max_unused_warm_slots: 100,
            max_core_instance_size: 1 << 20,
            max_memory_size: 1 << 32,
            table_elements: 20_000,
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: $type) -> &mut Self {
            self.$name = $name;
            self
        }
    )*};
}

impl PoolingAllocationConfig {
    /// The default limits.
    pub fn new() -> PoolingAllocationConfig {
        PoolingAllocationConfig::default()
    }

    settings! {
        /// The most instances that all stores of the engine have together (default: 1000).
        total_core_instances: u32;
        /// The most memories that all instances of the engine have together (default: 1000).
        total_memories: u32;
        /// The most tables that all instances of the engine have together (default: 1000).
        total_tables: u32;
        /// The most memories that are kept while nobody uses them (default: 100).
        max_unused_warm_slots: u32;
        /// The most bytes that the VMContext of an instance may have, which grows with the
        /// functions, globals and tables of its module (default: 1 MiB).
        max_core_instance_size: usize;
        /// The most bytes that a memory may have, also after it has grown (default: 4 GiB).
        max_memory_size: usize;
        /// The most elements that a table may have, also after it has grown (default: 20,000).
        table_elements: usize;
    }
}

impl From<PoolingAllocationConfig> for InstanceAllocationStrategy {
    fn from(config: PoolingAllocationConfig) -> InstanceAllocationStrategy {
        InstanceAllocationStrategy::Pooling(config)
    }
}
