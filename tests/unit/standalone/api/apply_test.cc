// SPDX-License-Identifier: Apache-2.0
//
// Server-side apply. What a real kubectl sees of it: tests/e2e/test_kubectl.py.

#include <gtest/gtest.h>

#include "standalone/api/fields.h"
#include "standalone/api/objects.h"

namespace wsf::api {
namespace {

const Resource& Functions() {
  return *FindResource("/apis/wsf.dev/v1alpha1", "websocketfunctions");
}

Json Env(const char* name, const char* value) { return {{"name", name}, {"value", value}}; }

const Json kListOfA = {{"x-kubernetes-list-type", "map"}, {"x-kubernetes-list-map-keys", {"name"}}};
const Json kSchema = {{"properties",
                       {{"env", kListOfA},
                        {"hosts", {{"x-kubernetes-list-type", "set"}}},
                        {"args", Json::object()}}}};

TEST(Fields, U20_leaves_are_told_as_FieldsV1_tells_them) {
  const Json object = {{"env", {Env("A", "1")}}, {"hosts", {"a.b"}}, {"args", {"x", "y"}}};
  FieldSet fields;
  for (const auto& [path, _] : LeavesOf(kSchema, object)) fields.insert(path);
  const Json tree = {
      {"f:env", {{R"(k:{"name":"A"})", {{"f:name", Json::object()}, {"f:value", Json::object()}}}}},
      {"f:hosts", {{R"(v:"a.b")", Json::object()}}},
      {"f:args", Json::object()}};
  EXPECT_EQ(ToFieldsV1(fields), tree);
  EXPECT_EQ(FromFieldsV1(tree), fields);
}

TEST(Fields, U20_what_an_object_is_called_has_no_manager) {
  const Json object = {{"apiVersion", "v1"},
                       {"kind", "X"},
                       {"metadata", {{"name", "n"}, {"uid", "u"}, {"labels", {{"a", "b"}}}}}};
  const Leaves leaves = LeavesOf({}, object);
  EXPECT_EQ(leaves, (Leaves{{{"f:metadata", "f:labels", "f:a"}, "b"}}));
}

TEST(Fields, U20_merging_adds_and_replaces_by_key) {
  const Json object = {{"env", {Env("A", "1"), Env("B", "2")}}, {"hosts", {"a"}}, {"args", {"x"}}};
  const Json applied = {
      {"env", {Env("C", "3"), Env("A", "9")}}, {"hosts", {"b", "a"}}, {"args", {"y"}}};
  EXPECT_EQ(Merged(kSchema, object, applied),
            (Json{{"env", {Env("A", "9"), Env("B", "2"), Env("C", "3")}},
                  {"hosts", {"a", "b"}},
                  {"args", {"y"}}}));
}

TEST(Fields, U20_what_is_emptied_goes) {
  const Json object = {
      {"env", {Env("A", "1"), Env("B", "2")}}, {"hosts", {"a"}}, {"free", {{"x", 1}}}};
  const std::string a = R"(k:{"name":"A"})";
  const FieldSet gone = {
      {"f:env", a, "f:name"}, {"f:env", a, "f:value"}, {"f:hosts", R"(v:"a")"}, {"f:free", "f:x"}};
  EXPECT_EQ(Without(kSchema, object, gone), (Json{{"env", {Env("B", "2")}}}));
}

TEST(Fields, a_path_reads_as_a_person_writes_it) {
  EXPECT_EQ(Readable({"f:spec", "f:env", R"(k:{"name":"A"})", "f:value"}),
            R"(.spec.env[name="A"].value)");
}

class ApplyTest : public testing::Test {
 protected:
  using Force = Objects::Force;
  using Part = Objects::Part;
  ApplyTest() : objects_(&store_) {
    const Resource& namespaces = *FindResource("/api/v1", "namespaces");
    objects_.Create(namespaces, "", {{"metadata", {{"name", "ns"}}}});
  }

  Result<Json> Apply(const char* manager, const Json& spec, Force force = Force::kNo) {
    return objects_.Apply(Functions(), "ns", "f", Part::kObject,
                          {{"metadata", Json::object()}, {"spec", spec}}, force,
                          {.manager = manager});
  }
  Json Spec() { return (*store_.Find(Functions(), "ns", "f"))["spec"]; }

  Store store_;
  Objects objects_;
};

TEST_F(ApplyTest, U20_what_two_apply_alike_stays_until_both_have_dropped_it) {
  const Json with = {{"image", "a"}, {"readyPath", "/r"}};
  Apply("one", with);
  Apply("two", with);
  Apply("one", {{"image", "a"}});
  EXPECT_TRUE(Spec().contains("readyPath"));
  Apply("two", {{"image", "a"}});
  EXPECT_FALSE(Spec().contains("readyPath"));
}

TEST_F(ApplyTest, U20_what_is_dropped_falls_back_to_its_default) {
  Apply("one", {{"image", "a"}, {"port", 80}});
  EXPECT_EQ(Spec()["port"], 80);
  Apply("one", {{"image", "a"}});
  EXPECT_EQ(Spec()["port"], 9000);
}

TEST_F(ApplyTest, U20_a_write_that_is_no_apply_takes_the_fields_that_it_changes) {
  Apply("one", {{"image", "a"}, {"port", 80}});
  objects_.Patch(Functions(), "ns", "f", Objects::Part::kObject, "application/merge-patch+json",
                 {{"spec", {{"port", 81}}}}, {.manager = "other"});
  const auto refused = Apply("one", {{"image", "a"}, {"port", 80}});
  ASSERT_TRUE(std::holds_alternative<Error>(refused));
  EXPECT_EQ(std::get<Error>(refused).code, 409);
  Apply("one", {{"image", "a"}});
  EXPECT_EQ(Spec()["port"], 81);
  EXPECT_FALSE(
      std::holds_alternative<Error>(Apply("one", {{"image", "a"}, {"port", 80}}, Force::kYes)));
  EXPECT_EQ(Spec()["port"], 80);
}

TEST_F(ApplyTest, U20_the_same_again_is_no_new_version) {
  Apply("one", {{"image", "a"}});
  const std::uint64_t version = store_.version();
  Apply("one", {{"image", "a"}});
  EXPECT_EQ(store_.version(), version);
}

TEST_F(ApplyTest, U20_a_dry_run_stores_nothing) {
  objects_.Apply(Functions(), "ns", "f", Part::kObject,
                 {{"metadata", Json::object()}, {"spec", {{"image", "a"}}}}, Force::kNo,
                 {.manager = "one", .is_dry_run = true});
  EXPECT_EQ(store_.Find(Functions(), "ns", "f"), nullptr);
}

TEST_F(ApplyTest, U20_a_status_has_managers_of_its_own_and_leaves_the_spec_alone) {
  Apply("one", {{"image", "a"}});
  const auto apply = [this](const char* manager, const Json& status) {
    return objects_.Apply(
        Functions(), "ns", "f", Part::kStatus,
        {{"metadata", Json::object()}, {"spec", {{"image", "b"}}}, {"status", status}}, Force::kNo,
        {.manager = manager, .subresource = "status"});
  };
  ASSERT_TRUE(std::holds_alternative<Json>(apply("two", {{"url", "ws://a"}, {"live", 1}})));
  EXPECT_EQ(Spec()["image"], "a");
  EXPECT_EQ(std::get<Error>(apply("three", {{"url", "ws://b"}})).code, 409);
  Apply("one", {{"image", "c"}});
  ASSERT_TRUE(std::holds_alternative<Json>(apply("two", {{"live", 1}})));
  const Json status = (*store_.Find(Functions(), "ns", "f"))["status"];
  EXPECT_EQ(status, (Json{{"live", 1}}));
  EXPECT_EQ(std::get<Error>(apply("two", {{"live", "many"}})).code, 422);
}

TEST_F(ApplyTest, U20_what_the_schema_does_not_know_is_dropped_told_or_refused) {
  const auto create = [this](const char* name, Writer::Unknown unknown,
                             std::vector<std::string>* warnings) {
    return objects_.Create(
        Functions(), "ns",
        {{"metadata", {{"name", name}}},
         {"spec", {{"image", "a"}, {"imige", "b"}, {"env", {{{"name", "A"}, {"valu", "1"}}}}}}},
        {.unknown = unknown, .warnings = warnings});
  };
  std::vector<std::string> warnings;
  const auto told = create("told", Writer::Unknown::kTold, &warnings);
  EXPECT_FALSE(std::get<Json>(told)["spec"].contains("imige"));
  EXPECT_EQ(warnings, (std::vector<std::string>{"unknown field \"spec.env[0].valu\"",
                                                "unknown field \"spec.imige\""}));
  warnings.clear();
  create("dropped", Writer::Unknown::kDropped, &warnings);
  EXPECT_TRUE(warnings.empty());
  const auto refused = create("refused", Writer::Unknown::kRefused, &warnings);
  EXPECT_EQ(std::get<Error>(refused).code, 400);
  EXPECT_NE(std::get<Error>(refused).message.find("spec.imige"), std::string::npos);
}

}  // namespace
}  // namespace wsf::api
