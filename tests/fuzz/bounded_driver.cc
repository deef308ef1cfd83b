// Our own small fuzz driver: mutates the seeds by a fixed random sequence and calls the entry, for so many runs or
// seconds. The same --seed and number of runs give the same inputs on every machine.
//
//   fuzz_libsvm [--runs N] [--seconds S] [--seed N]   mutate; prints a summary line
//   fuzz_libsvm FILE…                                 run these inputs (to repeat a crash)
//   fuzz_libsvm --write-seeds DIR                     the seeds as files: a first corpus for libFuzzer
//
// An input that crashes, aborts or takes more than kInputSecondsMax of processor time (not of the clock: a busy machine
// makes no finding) is written to crash-<program> in the working folder, and the program ends with a failure.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz_target.h"

#if defined(__SANITIZE_ADDRESS__)
#define ESPALIER_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ESPALIER_UNDER_ASAN 1
#endif
#endif

#ifdef ESPALIER_UNDER_ASAN
// A report of a sanitizer then ends in SIGABRT as a CHECK does, so that its input is kept as well.
extern "C" const char* __asan_default_options() {
    return "abort_on_error=1";
}
extern "C" const char* __ubsan_default_options() {
    return "abort_on_error=1";
}
#endif

namespace {

constexpr std::size_t kInputBytesMax = 16 * 1024;
constexpr std::time_t kInputSecondsMax = 10;
constexpr std::uint64_t kAddressSpaceMax = std::uint64_t{2} << 30;  // a claimed length must not become memory

// What the signal handler needs; plain data, since a handler may do very little.
const char* current_data = nullptr;
std::size_t current_size = 0;
char crash_path[512];

void OnCrash(int signal_number) {
    int fd = ::open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0) {
        [[maybe_unused]] ssize_t written = ::write(fd, current_data, current_size);
        ::close(fd);
    }
    static const char kText[] = "fuzz: the input that failed is in ";
    [[maybe_unused]] ssize_t told = ::write(2, kText, sizeof kText - 1);
    told = ::write(2, crash_path, std::strlen(crash_path));
    told = ::write(2, signal_number == SIGPROF ? " (too slow)\n" : "\n", signal_number == SIGPROF ? 12 : 1);
    ::_exit(1);
}

/// SIGPROF after so much processor time of this process; 0 calls it off.
void AllowSeconds(std::time_t seconds) {
    const itimerval once{.it_interval = {}, .it_value = {.tv_sec = seconds, .tv_usec = 0}};
    ::setitimer(ITIMER_PROF, &once, nullptr);
}

void RunInput(const std::string& input) {
    // A copy of exactly this size: reading one byte too far is then visible to the address sanitizer.
    std::vector<std::uint8_t> bytes(input.begin(), input.end());
    bytes.shrink_to_fit();
    current_data = input.data();
    current_size = input.size();
    AllowSeconds(kInputSecondsMax);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    AllowSeconds(0);
}

class Mutator {
  public:
    Mutator(std::vector<std::string> seeds, std::vector<std::string> words, std::uint64_t seed)
        : pool_(std::move(seeds)), words_(std::move(words)), random_(seed) {}

    std::string Next() {
        std::string input = pool_[Below(pool_.size())];
        std::size_t changes = 1 + Below(4);
        for (std::size_t i = 0; i < changes; ++i) Change(input);
        if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
        // Some mutants are mutated further.
        if (Below(64) == 0) {
            if (pool_.size() < kPoolMax) {
                pool_.push_back(input);
            } else {
                pool_[kPoolMax / 2 + Below(kPoolMax / 2)] = input;
            }
        }
        return input;
    }

  private:
    static constexpr std::size_t kPoolMax = 400;

    std::size_t Below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
    char AnyByte() { return static_cast<char>(random_() & 0xFF); }

    void Change(std::string& input) {
        std::size_t at = Below(input.size() + 1);
        std::size_t length = 1 + Below(Below(2) == 0 ? 4 : 64);
        switch (Below(10)) {
            case 0:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
                break;
            case 1:
                if (at < input.size()) input[at] = AnyByte();
                break;
            case 2:
                input.insert(at, 1, AnyByte());
                break;
            case 3:
                input.erase(at, length);
                break;
            case 4:
                input.resize(at);
                break;
            case 5:
                input.insert(Below(input.size() + 1), input.substr(at, length));
                break;
            case 6: {
                const std::string& other = pool_[Below(pool_.size())];
                input = input.substr(0, at) + other.substr(Below(other.size() + 1));
                break;
            }
            case 7:
            case 8:
                if (!words_.empty()) input.insert(at, words_[Below(words_.size())]);
                break;
            default:
                OverwriteNumber(input, at);
                break;
        }
    }

    // Lengths and counts are where parsers go wrong: sizes at the borders, big-endian and little-endian.
    void OverwriteNumber(std::string& input, std::size_t at) {
        static constexpr std::uint64_t kNumbers[] = {0,       1,          0x7F,       0x80,       0xFF,       0x7FFF,
                                                     0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ULL << 40, ~0ULL};
        std::uint64_t number = kNumbers[Below(std::size(kNumbers))];
        std::size_t width = std::size_t{1} << Below(4);
        bool big_endian = Below(2) == 0;
        for (std::size_t i = 0; i < width && at + i < input.size(); ++i) {
            std::size_t shift = 8 * (big_endian ? width - 1 - i : i);
            input[at + i] = static_cast<char>(number >> shift);
        }
    }

    std::vector<std::string> pool_;
    std::vector<std::string> words_;
    std::mt19937_64 random_;
};

int WriteSeeds(const std::string& folder) {
    std::size_t number = 0;
    for (const std::string& seed : espalier::fuzz::Seeds()) {
        std::ofstream out(folder + "/seed-" + std::to_string(number++), std::ios::binary);
        out << seed;
        if (!out) return 1;
    }
    return 0;
}

int RunFile(const char* path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        std::fprintf(stderr, "fuzz: cannot read %s\n", path);
        return 2;
    }
    RunInput(std::string(std::istreambuf_iterator<char>(in), {}));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t runs_max = 50'000;
    double seconds_max = 3;
    std::uint64_t seed = 1;
    const char* slash = std::strrchr(argv[0], '/');
    std::snprintf(crash_path, sizeof crash_path, "crash-%s", slash == nullptr ? argv[0] : slash + 1);
    for (int signal_number : {SIGABRT, SIGPROF}) ::signal(signal_number, OnCrash);
#ifndef ESPALIER_UNDER_ASAN  // which tells more about these, and wants more address space
    for (int signal_number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::signal(signal_number, OnCrash);
    rlimit limit{kAddressSpaceMax, kAddressSpaceMax};
    ::setrlimit(RLIMIT_AS, &limit);
#endif
    for (int i = 1; i < argc; ++i) {
        std::string flag = argv[i];
        bool has_value = i + 1 < argc;
        if (flag == "--write-seeds" && has_value) return WriteSeeds(argv[i + 1]);
        if (flag == "--runs" && has_value) {
            runs_max = std::strtoull(argv[++i], nullptr, 10);
        } else if (flag == "--seconds" && has_value) {
            seconds_max = std::strtod(argv[++i], nullptr);
        } else if (flag == "--seed" && has_value) {
            seed = std::strtoull(argv[++i], nullptr, 10);
        } else {
            int status = RunFile(argv[i]);
            if (status != 0) return status;
            runs_max = 0;
        }
    }
    if (runs_max == 0) return 0;
    std::vector<std::string> seeds = espalier::fuzz::Seeds();
    for (const std::string& input : seeds) RunInput(input);
    RunInput("");
    Mutator mutator(seeds, espalier::fuzz::Words(), seed);
    auto started = std::chrono::steady_clock::now();
    std::uint64_t runs = 0;
    while (runs < runs_max &&
           std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() < seconds_max) {
        for (int i = 0; i < 16 && runs < runs_max; ++i, ++runs) RunInput(mutator.Next());
    }
    std::printf("fuzz: %zu seeds, %llu mutants, seed %llu\n", seeds.size(), static_cast<unsigned long long>(runs),
                static_cast<unsigned long long>(seed));
    return 0;
}
