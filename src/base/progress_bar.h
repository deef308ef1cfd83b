// A progress bar for people at a terminal: one line on stderr, redrawn in place.
//
// It shows nothing when stderr is no terminal, and nothing during the first half second: short work needs no bar.
//   ProgressBar bar("reading", total_bytes);  …  bar.Update(done_bytes);  …  (the destructor clears the line)
// Thread-compatible.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace espalier {

class ProgressBar {
  public:
    struct Options {
        int fd = 2;
        bool only_on_terminal = true;
        std::chrono::milliseconds first_after{500};
        std::chrono::milliseconds redraw_every{100};
    };

    /// `label` says what is going on; `total` is the amount of work, in whatever unit Update uses; 0 = not known.
    ProgressBar(std::string label, std::uint64_t total);
    ProgressBar(std::string label, std::uint64_t total, Options options);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    /// Cheap enough to call often: draws at most ten times a second. `note` stands behind the bar, for example a
    /// metric.
    void Update(std::uint64_t done, const std::string& note = {});

    /// Takes the bar off the line, so that something else can be printed; the next Update draws it again.
    void Hide();

    /// The text of the bar at `done` after `seconds`, at most `width` characters; what Update draws.
    std::string Render(std::uint64_t done, double seconds, std::size_t width, const std::string& note) const;

  private:
    std::string label_;
    std::uint64_t total_;
    Options options_;
    bool visible_;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point started_;
    std::chrono::steady_clock::time_point last_drawn_;
};

}  // namespace espalier
