#include "base/trace_context.h"

#include <gtest/gtest.h>

namespace espalier {
namespace {

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr const char* kSpan = "00f067aa0ba902b7";

TEST(TraceContext, ReadsWhatItWrites) {
    const auto parsed = ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1");
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->trace_id, kTrace);
    EXPECT_EQ(parsed->span_id, kSpan);
    EXPECT_TRUE(parsed->sampled);
    EXPECT_EQ(parsed->state, "vendor=1");
    EXPECT_EQ(parsed->ToText(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    EXPECT_FALSE(ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->sampled);
    EXPECT_TRUE(ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0b")->sampled) << "bit 0 counts";
    EXPECT_TRUE(ParseTraceParent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").has_value())
        << "a later version may go on";
}

TEST(TraceContext, WhatIsMalformedCountsAsNone) {
    for (const char* text : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
                             "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                             "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                             "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
                             "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x"})
        EXPECT_FALSE(ParseTraceParent(text).has_value()) << text;
    EXPECT_EQ(ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", std::string(513, 'x'))->state,
              "");
}

TEST(TraceContext, ChildrenShareTheTrace) {
    const TraceContext root = NewTrace();
    EXPECT_TRUE(ParseTraceParent(root.ToText()).has_value());
    const TraceContext child = root.Child();
    EXPECT_EQ(child.trace_id, root.trace_id);
    EXPECT_NE(child.span_id, root.span_id);
    EXPECT_NE(child.span_id, root.Child().span_id);
    EXPECT_EQ(root.NamedChild("job/1").span_id, root.Child().NamedChild("job/1").span_id) << "trace and name decide";
    EXPECT_NE(root.NamedChild("job/1").span_id, root.NamedChild("job/2").span_id);
    EXPECT_TRUE(ParseTraceParent(root.NamedChild("job/1").ToText()).has_value());
    EXPECT_NE(NewTrace().trace_id, root.trace_id);
}

}  // namespace
}  // namespace espalier
