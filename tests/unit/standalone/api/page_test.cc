// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/page.h"

#include <gtest/gtest.h>

#include "common/json/read.h"

namespace wsf::api {
namespace {

std::vector<Store::Object> Numbered(int count) {
  std::vector<Store::Object> all;
  for (int i = 0; i < count; ++i) {
    const Json metadata = {{"namespace", "ns"}, {"name", "p" + std::to_string(1000 + i)}};
    all.push_back(std::make_shared<const Json>(Json{{"metadata", metadata}}));
  }
  return all;
}

std::string NameOf(const Store::Object& object) { return json::Text(*object, "metadata", "name"); }

TEST(Page, G28_every_object_is_on_one_page) {
  const auto all = Numbered(1201);
  std::vector<std::string> names;
  std::optional<Place> from;
  int pages = 0;
  do {
    const Page page = MakePage(all, from, 500, 7 + pages);
    EXPECT_EQ(page.version, 7u) << "of the first page: a watch from there misses nothing";
    for (const auto& each : page.objects) names.push_back(NameOf(each));
    EXPECT_EQ(page.remaining, all.size() - names.size());
    from = FromToken(page.more);
    ++pages;
  } while (from);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(names.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(names[i], NameOf(all[i]));
}

TEST(Page, G28_a_list_goes_on_although_its_last_object_has_gone) {
  auto all = Numbered(10);
  const Page first = MakePage(all, std::nullopt, 5, 1);
  all.erase(all.begin() + 4);
  const Page second = MakePage(all, FromToken(first.more), 5, 2);
  ASSERT_EQ(second.objects.size(), 5u);
  EXPECT_EQ(NameOf(second.objects.front()), "p1005");
  EXPECT_EQ(second.more, "");
}

TEST(Page, without_a_limit_there_is_one) {
  EXPECT_EQ(MakePage(Numbered(3), std::nullopt, 0, 1).objects.size(), 3u);
  EXPECT_EQ(MakePage(Numbered(3), std::nullopt, 3, 1).more, "");
}

TEST(Page, what_is_no_token_of_ours_is_none) {
  for (const char* text : {"", "x", "e30", "bm8", "!!", "W10"})
    EXPECT_FALSE(FromToken(text)) << text;
}

}  // namespace
}  // namespace wsf::api
