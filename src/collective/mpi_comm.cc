#include "collective/mpi_comm.h"

#include <fmt/format.h>
// The C interface only: the C++ bindings of old MPI headers want a library of their own.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>
#include <numeric>
#include <stop_token>
#include <thread>

namespace espalier::collective {

namespace {

// Counts in MPI 3 are int; longer arrays go in pieces of this many elements.
constexpr std::size_t kPieceElementsMax = std::size_t{1} << 26;
// mpirun kills a rank 1 s after SIGTERM (odls_base_sigkill_timeout): leave time to write the failure.
constexpr auto kGraceAfterEnding = std::chrono::milliseconds(300);
// Below this the wait spins, because a level's reduction on one machine takes well under a millisecond.
constexpr auto kSpin = std::chrono::milliseconds(5);
// A yield that takes so long has let another process work: there are more than cores. Who yields there waits for a turn
// of milliseconds each time; who sleeps is woken before those that never do.
constexpr auto kYieldMax = std::chrono::microseconds(500);
constexpr auto kCrowdedTime = std::chrono::milliseconds(100);
constexpr auto kBeatInterval = std::chrono::milliseconds(250);
constexpr auto kLookInterval = std::chrono::milliseconds(100);
// What one look can count at most: a machine that slept as a whole was not silent.
constexpr auto kLookCountsMax = std::chrono::milliseconds(1000);

/// PMIx ends with some small messages in a row, which Nagle's algorithm and a late acknowledgement hold up by 40 ms. It
/// tells nobody its socket; descriptors that are none of TCP refuse.
void SendSmallMessagesAtOnce() {
    constexpr int kDescriptorsLookedAt = 256;  // A process that has just started has few.
    for (int descriptor = 0; descriptor < kDescriptorsLookedAt; ++descriptor) {
        const int one = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
}

}  // namespace

/// A counter of each rank of this machine, in memory they share. Making and ending it are collective.
class SignsOfLife {
  public:
    using Clock = std::chrono::steady_clock;

    SignsOfLife() {
        MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node_);
        void* own = nullptr;
        // Where ranks cannot share memory, the long deadline is all there is.
        if (MPI_Win_allocate_shared(kSlotBytes, 1, MPI_INFO_NULL, node_, &own, &window_) != MPI_SUCCESS) return;
        FindPeers();
        auto* beats = new (own) std::atomic<std::uint64_t>(0);
        thread_ = std::jthread([beats](const std::stop_token& stop) {
            std::mutex mutex;
            std::condition_variable_any stopping;
            std::unique_lock lock(mutex);
            while (!stop.stop_requested()) {
                beats->fetch_add(1, std::memory_order_relaxed);
                // A sleep would hold up the end of the job.
                stopping.wait_for(lock, stop, kBeatInterval, [] { return false; });
            }
        });
    }
    ~SignsOfLife() {
        if (thread_.joinable()) thread_ = {};  // Joined before its memory goes.
        if (window_ != MPI_WIN_NULL) MPI_Win_free(&window_);
        MPI_Comm_free(&node_);
    }
    SignsOfLife(const SignsOfLife&) = delete;
    SignsOfLife& operator=(const SignsOfLife&) = delete;

    /// A wait begins: nobody has been silent yet.
    void BeginWait() {
        last_look_ = Clock::now();
        for (Peer& peer : peers_) peer.silent_for = {};
    }

    /// The rank that has been silent for longer than `silence_max` since BeginWait, or -1.
    int FindSilent(Clock::time_point now, Clock::duration silence_max) {
        if (now - last_look_ < kLookInterval) return -1;
        const auto counts = std::min<Clock::duration>(now - last_look_, kLookCountsMax);
        last_look_ = now;
        for (Peer& peer : peers_) {
            const std::uint64_t beats = peer.beats->load(std::memory_order_relaxed);
            peer.silent_for = beats == peer.seen ? peer.silent_for + counts : Clock::duration{};
            peer.seen = beats;
            if (peer.silent_for > silence_max) return peer.rank;
        }
        return -1;
    }

  private:
    static constexpr MPI_Aint kSlotBytes = 64;
    struct Peer {
        const std::atomic<std::uint64_t>* beats = nullptr;
        int rank = 0;  ///< among all
        std::uint64_t seen = 0;
        Clock::duration silent_for{};
    };

    void FindPeers() {
        int size = 0;
        int own_rank = 0;
        MPI_Comm_size(node_, &size);
        MPI_Comm_rank(node_, &own_rank);
        MPI_Group node_group;
        MPI_Group world_group;
        MPI_Comm_group(node_, &node_group);
        MPI_Comm_group(MPI_COMM_WORLD, &world_group);
        for (int rank = 0; rank < size; ++rank) {
            if (rank == own_rank) continue;
            MPI_Aint size_bytes = 0;
            int unit = 0;
            void* slot = nullptr;
            Peer peer;
            MPI_Win_shared_query(window_, rank, &size_bytes, &unit, &slot);
            MPI_Group_translate_ranks(node_group, 1, &rank, world_group, &peer.rank);
            peer.beats = static_cast<const std::atomic<std::uint64_t>*>(slot);
            peers_.push_back(peer);
        }
        MPI_Group_free(&node_group);
        MPI_Group_free(&world_group);
    }

    MPI_Comm node_ = MPI_COMM_NULL;
    MPI_Win window_ = MPI_WIN_NULL;
    std::vector<Peer> peers_;
    Clock::time_point last_look_{};
    std::jthread thread_;
};

MpiComm::MpiComm(const Options& options) : options_(options) {}

bool MpiComm::StartedByLauncher() {
    // Open MPI's mpirun, PMIx launchers (srun --mpi=pmix), PMI launchers (MPICH, srun --mpi=pmi2).
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
        if (std::getenv(name) != nullptr) return true;
    }
    return false;
}

Result<std::unique_ptr<MpiComm>> MpiComm::Create(const Options& options) {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        return Error(ErrorCode::kUnavailable, "MPI_Init_thread failed; start the instances with mpirun");
    }
    if (provided < MPI_THREAD_FUNNELED) {
        return Error(ErrorCode::kUnavailable, "this MPI library does not allow threads beside MPI calls");
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    SendSmallMessagesAtOnce();
    std::unique_ptr<MpiComm> comm(new MpiComm(options));
    MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &comm->size_);
    comm->signs_ = std::make_unique<SignsOfLife>();
    return comm;
}

void MpiComm::Finalize() {
    signs_.reset();
    MPI_Finalize();
    dead_ = true;
}

MpiComm::~MpiComm() {
    if (!dead_) {
        Finalize();
    } else {
        // What it would free is shared with ranks that may be gone.
        static_cast<void>(signs_.release());
    }
}

void MpiComm::Exit(int code) {
    if (code == 0 && !dead_) {
        Finalize();
        std::exit(0);
    }
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
}

Result<void> MpiComm::Wait(void* request, int started) {
    if (dead_) return Error(ErrorCode::kUnavailable, "the connection to the other instances is lost");
    int done = 0;
    int status = started;
    const auto begin = std::chrono::steady_clock::now();
    auto ending_since = std::chrono::steady_clock::time_point::max();
    signs_->BeginWait();
    const ProgressMark::Wait waits(options_.mark);
    while (status == MPI_SUCCESS) {
        status = MPI_Test(static_cast<MPI_Request*>(request), &done, MPI_STATUS_IGNORE);
        if (done != 0 || status != MPI_SUCCESS) break;
        const auto now = std::chrono::steady_clock::now();
        if (options_.ending != nullptr && options_.ending->load(std::memory_order_relaxed)) {
            ending_since = std::min(ending_since, now);
            if (now - ending_since > kGraceAfterEnding) {
                dead_ = true;
                return Error(ErrorCode::kUnavailable,
                             "another instance of this job ended unexpectedly, or the job was told to end");
            }
        }
        if (const int silent = signs_->FindSilent(now, options_.silence_max); silent >= 0) {
            dead_ = true;
            const auto place = static_cast<std::size_t>(silent);
            return Error(ErrorCode::kUnavailable,
                         fmt::format("instance {} (rank {}) has given no sign of life for {} s",
                                     place < options_.names.size() ? options_.names[place] : "", silent,
                                     std::chrono::duration_cast<std::chrono::seconds>(options_.silence_max).count()));
        }
        if (now - begin > options_.deadline) {
            dead_ = true;
            return Error(ErrorCode::kUnavailable,
                         fmt::format("the other instances did not answer within {} s",
                                     std::chrono::duration_cast<std::chrono::seconds>(options_.deadline).count()));
        }
        if (now - begin > kSpin || now < crowded_until_) {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        } else {
            sched_yield();
            if (std::chrono::steady_clock::now() - now > kYieldMax) crowded_until_ = now + kCrowdedTime;
        }
    }
    if (status != MPI_SUCCESS) {
        dead_ = true;
        char text[MPI_MAX_ERROR_STRING] = {};
        int length = 0;
        MPI_Error_string(status, text, &length);
        return Error(ErrorCode::kUnavailable, fmt::format("MPI: {}", std::string_view(text)));
    }
    return {};
}

namespace {

template <typename T, typename Start>
Result<void> InPieces(std::span<T> values, Start start) {
    for (std::size_t begin = 0; begin < values.size(); begin += kPieceElementsMax) {
        TRY(start(values.subspan(begin, std::min(kPieceElementsMax, values.size() - begin))));
    }
    return {};
}

/// Starts an operation for each piece, to be waited for together; `status` is what the last one started said.
template <typename T, typename Start>
void StartPieces(std::span<T> values, std::vector<MPI_Request>& requests, int& status, Start start) {
    for (std::size_t begin = 0; begin < values.size() && status == MPI_SUCCESS; begin += kPieceElementsMax) {
        const auto piece = values.subspan(begin, std::min(kPieceElementsMax, values.size() - begin));
        status = start(piece.data(), static_cast<int>(piece.size()), &requests.emplace_back());
    }
}

}  // namespace

Result<void> MpiComm::AllReduceSum(std::span<std::int64_t> values) {
    bytes_sent_ += 2 * values.size_bytes() * static_cast<std::uint64_t>(size_ - 1) / static_cast<std::uint64_t>(size_);
    return InPieces(values, [&](std::span<std::int64_t> piece) {
        MPI_Request request;
        const int started = MPI_Iallreduce(MPI_IN_PLACE, piece.data(), static_cast<int>(piece.size()), MPI_INT64_T,
                                           MPI_SUM, MPI_COMM_WORLD, &request);
        return Wait(&request, started);
    });
}

Result<void> MpiComm::AllReduceMax(std::span<double> values) {
    bytes_sent_ += 2 * values.size_bytes() * static_cast<std::uint64_t>(size_ - 1) / static_cast<std::uint64_t>(size_);
    return InPieces(values, [&](std::span<double> piece) {
        MPI_Request request;
        const int started = MPI_Iallreduce(MPI_IN_PLACE, piece.data(), static_cast<int>(piece.size()), MPI_DOUBLE,
                                           MPI_MAX, MPI_COMM_WORLD, &request);
        return Wait(&request, started);
    });
}

Result<void> MpiComm::AllReduceMax(std::span<std::int64_t> values) {
    bytes_sent_ += 2 * values.size_bytes() * static_cast<std::uint64_t>(size_ - 1) / static_cast<std::uint64_t>(size_);
    return InPieces(values, [&](std::span<std::int64_t> piece) {
        MPI_Request request;
        const int started = MPI_Iallreduce(MPI_IN_PLACE, piece.data(), static_cast<int>(piece.size()), MPI_INT64_T,
                                           MPI_MAX, MPI_COMM_WORLD, &request);
        return Wait(&request, started);
    });
}

Result<std::vector<std::span<const std::int64_t>>> MpiComm::ExchangeSegments(std::span<const std::int64_t> values,
                                                                             std::span<const std::size_t> counts) {
    std::vector<std::size_t> offsets(counts.size() + 1, 0);
    std::partial_sum(counts.begin(), counts.end(), offsets.begin() + 1);
    const auto segment_of = [&](int rank) {
        const auto i = static_cast<std::size_t>(rank);
        return values.subspan(offsets[i], counts[i]);
    };
    const std::size_t size = segment_of(rank_).size();
    if (received_.size() < size * (counts.size() - 1)) received_.resize(size * (counts.size() - 1));
    std::vector<std::span<const std::int64_t>> segments(counts.size());
    segments[static_cast<std::size_t>(rank_)] = segment_of(rank_);
    std::vector<MPI_Request> requests;
    int status = MPI_SUCCESS;
    std::span<std::int64_t> free(received_);
    for (int step = 1; step < size_; ++step) {
        const int from = (rank_ + size_ - step) % size_;
        const int to = (rank_ + step) % size_;
        const std::span<std::int64_t> received = free.first(size);
        free = free.subspan(size);
        segments[static_cast<std::size_t>(from)] = received;
        StartPieces(received, requests, status, [&](std::int64_t* data, int count, MPI_Request* request) {
            return MPI_Irecv(data, count, MPI_INT64_T, from, 0, MPI_COMM_WORLD, request);
        });
        const auto sent = segment_of(to);
        bytes_sent_ += sent.size_bytes();
        StartPieces(sent, requests, status, [&](const std::int64_t* data, int count, MPI_Request* request) {
            return MPI_Isend(data, count, MPI_INT64_T, to, 0, MPI_COMM_WORLD, request);
        });
    }
    for (MPI_Request& request : requests) TRY(Wait(&request, status));
    return segments;
}

Result<std::vector<std::vector<std::byte>>> MpiComm::AllGatherV(std::span<const std::byte> bytes) {
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(size_), 0);
    lengths[static_cast<std::size_t>(rank_)] = static_cast<std::int64_t>(bytes.size());
    TRY(AllReduceMax(std::span<std::int64_t>(lengths)));
    std::vector<std::vector<std::byte>> all;
    for (const std::int64_t length : lengths) all.emplace_back(static_cast<std::size_t>(length));
    std::copy(bytes.begin(), bytes.end(), all[static_cast<std::size_t>(rank_)].begin());
    bytes_sent_ += bytes.size() * static_cast<std::uint64_t>(size_ - 1);
    // Broadcasts of all ranks at once; no displacement can outgrow int.
    std::vector<MPI_Request> requests;
    int status = MPI_SUCCESS;
    for (int root = 0; root < size_; ++root) {
        const std::span<std::byte> from_root(all[static_cast<std::size_t>(root)]);
        StartPieces(from_root, requests, status, [&](std::byte* data, int count, MPI_Request* request) {
            return MPI_Ibcast(data, count, MPI_BYTE, root, MPI_COMM_WORLD, request);
        });
    }
    for (MPI_Request& request : requests) TRY(Wait(&request, status));
    return all;
}

Result<void> MpiComm::Broadcast(std::span<std::byte> bytes, int root) {
    if (rank_ == root) bytes_sent_ += bytes.size() * static_cast<std::uint64_t>(size_ - 1);
    return InPieces(bytes, [&](std::span<std::byte> piece) {
        MPI_Request request;
        const int started =
            MPI_Ibcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, root, MPI_COMM_WORLD, &request);
        return Wait(&request, started);
    });
}

Result<void> MpiComm::Barrier() {
    MPI_Request request;
    const int started = MPI_Ibarrier(MPI_COMM_WORLD, &request);
    return Wait(&request, started);
}

}  // namespace espalier::collective
