//! Memory: who gives it, and in how large pages.

/// Threads that pass messages to each other free what others have allocated: that is where it is better than the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps the system from giving 2 MiB where a few KiB are used: what lives for long here is small and scattered. To be called
/// before anything is allocated that stays.
pub(crate) fn use_small_pages() {
    // Where the system does not know of this, it has no large pages to give unasked.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}
