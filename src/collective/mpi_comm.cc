#include "collective/mpi_comm.h"

#include <fmt/format.h>
// The C interface only: the C++ bindings of old MPI headers want a library of their own.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <thread>

namespace espalier::collective {

namespace {

// Counts in MPI 3 are int; longer arrays go in pieces of this many elements.
constexpr std::size_t kPieceElementsMax = std::size_t{1} << 26;
// mpirun kills a rank 1 s after SIGTERM (odls_base_sigkill_timeout): leave time to write the failure.
constexpr auto kGraceAfterEnding = std::chrono::milliseconds(300);
// Below this the wait spins, because a level's reduction on one machine takes well under a millisecond.
constexpr auto kSpin = std::chrono::milliseconds(5);

}  // namespace

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
    std::unique_ptr<MpiComm> comm(new MpiComm(options));
    MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &comm->size_);
    return comm;
}

MpiComm::~MpiComm() {
    if (!dead_) MPI_Finalize();
}

void MpiComm::Exit(int code) {
    if (code == 0 && !dead_) {
        MPI_Finalize();
        dead_ = true;
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
        if (now - begin > options_.deadline) {
            dead_ = true;
            return Error(ErrorCode::kUnavailable,
                         fmt::format("the other instances did not answer within {} s",
                                     std::chrono::duration_cast<std::chrono::seconds>(options_.deadline).count()));
        }
        if (now - begin > kSpin) {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        } else {
            sched_yield();
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

Result<void> MpiComm::ReduceScatterSum(std::span<const std::int64_t> values, std::span<const std::size_t> counts,
                                       std::span<std::int64_t> segment) {
    // Each rank sends every other one its segment and adds up what arrives for its own. The library's own operation
    // reduces everything to one rank first and spreads it from there.
    std::vector<std::size_t> offsets = {0};
    for (const std::size_t count : counts) offsets.push_back(offsets.back() + count);
    const auto segment_of = [&](int rank) {
        const auto i = static_cast<std::size_t>(rank);
        return values.subspan(offsets[i], counts[i]);
    };
    std::ranges::copy(segment_of(rank_), segment.begin());
    if (received_.size() < segment.size()) received_.resize(segment.size());
    for (int step = 1; step < size_; ++step) {
        const auto sent = segment_of((rank_ + step) % size_);
        bytes_sent_ += sent.size_bytes();
        TRY(Exchange(sent, (rank_ + step) % size_, std::span(received_).first(segment.size()),
                     (rank_ + size_ - step) % size_));
        for (std::size_t i = 0; i < segment.size(); ++i) segment[i] += received_[i];
    }
    return {};
}

Result<void> MpiComm::Exchange(std::span<const std::int64_t> sent, int to, std::span<std::int64_t> received, int from) {
    std::vector<MPI_Request> requests;
    int status = MPI_SUCCESS;
    for (std::size_t begin = 0; begin < received.size() && status == MPI_SUCCESS; begin += kPieceElementsMax) {
        const auto piece = received.subspan(begin, std::min(kPieceElementsMax, received.size() - begin));
        status = MPI_Irecv(piece.data(), static_cast<int>(piece.size()), MPI_INT64_T, from, 0, MPI_COMM_WORLD,
                           &requests.emplace_back());
    }
    for (std::size_t begin = 0; begin < sent.size() && status == MPI_SUCCESS; begin += kPieceElementsMax) {
        const auto piece = sent.subspan(begin, std::min(kPieceElementsMax, sent.size() - begin));
        status = MPI_Isend(piece.data(), static_cast<int>(piece.size()), MPI_INT64_T, to, 0, MPI_COMM_WORLD,
                           &requests.emplace_back());
    }
    for (MPI_Request& request : requests) TRY(Wait(&request, status));
    return {};
}

Result<std::vector<std::vector<std::byte>>> MpiComm::AllGatherV(std::span<const std::byte> bytes) {
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(size_), 0);
    lengths[static_cast<std::size_t>(rank_)] = static_cast<std::int64_t>(bytes.size());
    TRY(AllReduceMax(std::span<std::int64_t>(lengths)));
    std::vector<std::vector<std::byte>> all;
    // One broadcast per rank: no displacement can outgrow int, and the lists are small or sent once.
    for (int root = 0; root < size_; ++root) {
        std::vector<std::byte> buf(static_cast<std::size_t>(lengths[static_cast<std::size_t>(root)]));
        if (root == rank_) std::copy(bytes.begin(), bytes.end(), buf.begin());
        TRY(Broadcast(buf, root));
        all.push_back(std::move(buf));
    }
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
