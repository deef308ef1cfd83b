#include "base/uuid.h"

#include <gtest/gtest.h>

#include <set>

namespace espalier {
namespace {

TEST(Uuid, IsVersionFourAndNeverTheSame) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        std::string uuid = NewUuid();
        ASSERT_EQ(uuid.size(), 36U);
        EXPECT_EQ(uuid.find_first_not_of("0123456789abcdef-"), std::string::npos);
        EXPECT_EQ(std::string({uuid[8], uuid[13], uuid[18], uuid[23]}), "----");
        EXPECT_EQ(uuid[14], '4');
        EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
        EXPECT_TRUE(seen.insert(uuid).second);
    }
}

}  // namespace
}  // namespace espalier
