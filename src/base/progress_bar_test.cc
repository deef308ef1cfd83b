#include "base/progress_bar.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace espalier {
namespace {

TEST(ProgressBarTest, RendersPartTimeAndNote) {
    ProgressBar bar("reading", 200);
    EXPECT_EQ(bar.Render(0, 1, 80, ""), "reading [........................]   0 %");
    EXPECT_EQ(bar.Render(50, 30, 80, "0.5 GB/s"), "reading [######..................]  25 %  1:30 left  0.5 GB/s");
    EXPECT_EQ(bar.Render(200, 30, 80, ""), "reading [########################] 100 %");
    EXPECT_EQ(bar.Render(500, 30, 80, ""), "reading [########################] 100 %");
    EXPECT_EQ(bar.Render(50, 30, 10, ""), "reading [#");
    EXPECT_EQ(ProgressBar("waiting", 0).Render(5, 61, 80, ""), "waiting  1:01 so far");
}

std::string DrawnOnPipe(bool only_on_terminal) {
    int pipe_fds[2];
    EXPECT_EQ(::pipe(pipe_fds), 0);
    {
        ProgressBar::Options options;
        options.fd = pipe_fds[1];
        options.only_on_terminal = only_on_terminal;
        options.first_after = std::chrono::milliseconds(0);
        ProgressBar bar("work", 10, options);
        bar.Update(5);
        bar.Update(6);  // too soon for another drawing
    }
    ::close(pipe_fds[1]);
    char buffer[1000];
    ssize_t size = ::read(pipe_fds[0], buffer, sizeof buffer);
    ::close(pipe_fds[0]);
    return std::string(buffer, static_cast<std::size_t>(size < 0 ? 0 : size));
}

TEST(ProgressBarTest, DrawsOnATerminalOnlyAndClearsItsLine) {
    EXPECT_EQ(DrawnOnPipe(true), "");
    std::string drawn = DrawnOnPipe(false);
    EXPECT_EQ(drawn.rfind("\rwork [############............]  50 %", 0), 0U) << drawn;
    EXPECT_TRUE(drawn.ends_with("\r\x1b[K"));
    EXPECT_EQ(drawn.find("60 %"), std::string::npos);
}

}  // namespace
}  // namespace espalier
