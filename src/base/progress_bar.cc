#include "base/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace espalier {
namespace {

constexpr std::size_t kBarCells = 24;
constexpr std::size_t kWidthDefault = 80;

std::size_t TerminalWidth(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kWidthDefault;
    return size.ws_col;
}

void WriteAll(int fd, const std::string& text) {
    // A bar that cannot be drawn is no reason to stop the work.
    [[maybe_unused]] ssize_t written = ::write(fd, text.data(), text.size());
}

std::string FormatSeconds(double seconds) {
    auto whole = static_cast<std::uint64_t>(seconds + 0.5);
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

ProgressBar::ProgressBar(std::string label, std::uint64_t total) : ProgressBar(std::move(label), total, Options()) {}

ProgressBar::ProgressBar(std::string label, std::uint64_t total, Options options)
    : label_(std::move(label)),
      total_(total),
      options_(options),
      visible_(!options.only_on_terminal || ::isatty(options.fd) == 1),
      started_(std::chrono::steady_clock::now()),
      last_drawn_(started_) {}

ProgressBar::~ProgressBar() {
    Hide();
}

void ProgressBar::Hide() {
    if (drawn_) WriteAll(options_.fd, "\r\x1b[K");
    drawn_ = false;
}

void ProgressBar::Update(std::uint64_t done, const std::string& note) {
    if (!visible_) return;
    auto now = std::chrono::steady_clock::now();
    if (now - started_ < options_.first_after || (drawn_ && now - last_drawn_ < options_.redraw_every)) return;
    last_drawn_ = now;
    drawn_ = true;
    double seconds = std::chrono::duration<double>(now - started_).count();
    // The last column stays free: writing into it makes some terminals wrap.
    WriteAll(options_.fd, "\r" + Render(done, seconds, TerminalWidth(options_.fd) - 1, note) + "\x1b[K");
}

std::string ProgressBar::Render(std::uint64_t done, double seconds, std::size_t width, const std::string& note) const {
    std::string line = label_;
    if (total_ > 0) {
        double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
        auto full = static_cast<std::size_t>(part * static_cast<double>(kBarCells));
        line +=
            fmt::format(" [{}{}] {:3.0f} %", std::string(full, '#'), std::string(kBarCells - full, '.'), part * 100);
        if (part > 0 && part < 1) line += fmt::format("  {} left", FormatSeconds(seconds * (1 - part) / part));
    } else {
        line += fmt::format("  {} so far", FormatSeconds(seconds));
    }
    if (!note.empty()) line += "  " + note;
    return line.substr(0, width);
}

}  // namespace espalier
