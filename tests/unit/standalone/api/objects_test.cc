// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/objects.h"

#include <gtest/gtest.h>

#include "standalone/api/table.h"

namespace wsf::api {
namespace {

const Resource& Pods() { return *FindResource("/api/v1", "pods"); }
const Resource& Functions() {
  return *FindResource("/apis/wsf.dev/v1alpha1", "websocketfunctions");
}

class ObjectsTest : public testing::Test {
 protected:
  ObjectsTest() : objects_(&store_) {
    const Resource& namespaces = *FindResource("/api/v1", "namespaces");
    for (const char* name : {"ns", "other", "default"}) {
      objects_.Create(namespaces, "", {{"metadata", {{"name", name}}}});
    }
  }

  Json CreatePod(const std::string& name, const Json& more = Json::object()) {
    Json pod = {{"metadata", {{"name", name}}}, {"spec", Json::object()}};
    pod.merge_patch(more);
    return std::get<Json>(objects_.Create(Pods(), "ns", pod));
  }
  static int CodeOf(const Result<Json>& result) {
    const Error* error = std::get_if<Error>(&result);
    return error == nullptr ? 200 : error->code;
  }

  Store store_;
  Objects objects_;
};

TEST_F(ObjectsTest, CreatesOnceAndNamesTheRest) {
  const Json pod = CreatePod("a");
  EXPECT_FALSE(pod["metadata"]["uid"].get<std::string>().empty());
  EXPECT_EQ(CodeOf(objects_.Create(Pods(), "ns", {{"metadata", {{"name", "a"}}}})), 409);
  EXPECT_EQ(CodeOf(objects_.Create(Pods(), "ns", {{"metadata", {{"name", "Bad_Name"}}}})), 422);
}

TEST_F(ObjectsTest, UpdateWithAnOldVersionConflicts) {
  Json pod = CreatePod("a");
  pod["spec"]["x"] = 1;
  ASSERT_EQ(CodeOf(objects_.Update(Pods(), "ns", "a", Objects::Part::kObject, pod)), 200);
  pod["spec"]["x"] = 2;
  EXPECT_EQ(CodeOf(objects_.Update(Pods(), "ns", "a", Objects::Part::kObject, pod)), 409);
}

TEST_F(ObjectsTest, StatusAndSpecAreWrittenApart) {
  CreatePod("a");
  objects_.Patch(Pods(), "ns", "a", Objects::Part::kStatus, "application/merge-patch+json",
                 {{"status", {{"phase", "Running"}}}, {"spec", {{"hack", 1}}}});
  const Json pod = *store_.Find(Pods(), "ns", "a");
  EXPECT_EQ(pod["status"]["phase"], "Running");
  EXPECT_FALSE(pod["spec"].contains("hack"));
}

TEST_F(ObjectsTest, ADeletedPodStaysUntilItsProcessesHaveGone) {
  CreatePod("a");
  objects_.Delete(Pods(), "ns", "a", {{"gracePeriodSeconds", 5}});
  ASSERT_NE(store_.Find(Pods(), "ns", "a"), nullptr);
  objects_.FinishPod("ns", "a");
  EXPECT_EQ(store_.Find(Pods(), "ns", "a"), nullptr);
}

TEST_F(ObjectsTest, AFinalizerKeepsAnObject) {
  CreatePod("a", {{"metadata", {{"finalizers", {"wsf.dev/ledger"}}}}});
  objects_.Delete(Pods(), "ns", "a", {{"gracePeriodSeconds", 0}});
  ASSERT_NE(store_.Find(Pods(), "ns", "a"), nullptr);
  objects_.Patch(Pods(), "ns", "a", Objects::Part::kObject, "application/merge-patch+json",
                 {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_EQ(store_.Find(Pods(), "ns", "a"), nullptr);
}

TEST_F(ObjectsTest, AUidPreconditionProtectsANamesake) {
  CreatePod("a");
  EXPECT_EQ(CodeOf(objects_.Delete(Pods(), "ns", "a", {{"preconditions", {{"uid", "other"}}}})),
            409);
}

TEST_F(ObjectsTest, P15_WhatAFunctionOwnsIsDeletedWithIt) {
  const Json function = std::get<Json>(objects_.Create(
      Functions(), "ns", {{"metadata", {{"name", "f"}}}, {"spec", Json::object()}}));
  CreatePod("a", {{"metadata", {{"ownerReferences", {{{"uid", function["metadata"]["uid"]}}}}}}});
  objects_.Delete(Functions(), "ns", "f", Json::object());
  EXPECT_TRUE((*store_.Find(Pods(), "ns", "a"))["metadata"].contains("deletionTimestamp"));
}

TEST_F(ObjectsTest, S0_26_S4_05_TheProtocolCannotBeChanged) {
  objects_.Create(Functions(), "ns", {{"metadata", {{"name", "f"}}}, {"spec", Json::object()}});
  const Json patch = {{"spec", {{"protocol", "HTTP"}}}};
  EXPECT_EQ(CodeOf(objects_.Patch(Functions(), "ns", "f", Objects::Part::kObject,
                                  "application/merge-patch+json", patch)),
            422);
}

TEST_F(ObjectsTest, AGenerationCountsChangesOfTheSpecOnly) {
  objects_.Create(Functions(), "ns", {{"metadata", {{"name", "f"}}}, {"spec", Json::object()}});
  const auto patch = [&](Objects::Part part, const Json& what) {
    return std::get<Json>(
        objects_.Patch(Functions(), "ns", "f", part, "application/merge-patch+json", what));
  };
  EXPECT_EQ(patch(Objects::Part::kStatus, {{"status", {{"live", 1}}}})["metadata"]["generation"],
            1);
  const Json changed = patch(Objects::Part::kObject, {{"spec", {{"warmInstances", 1}}}});
  EXPECT_EQ(changed["metadata"]["generation"], 2);
}

TEST(Store, AWatchThatIsTooFarBehindIsToldSo) {
  Store store;
  Objects objects(&store);
  objects.Create(*FindResource("/api/v1", "namespaces"), "", {{"metadata", {{"name", "ns"}}}});
  for (int i = 0; i < 5000; ++i) {
    objects.Create(Pods(), "ns",
                   {{"metadata", {{"name", "p" + std::to_string(i)}}}, {"spec", Json::object()}});
  }
  EXPECT_FALSE(store.Reaches(1));
  EXPECT_TRUE(store.Reaches(store.version()));
  EXPECT_EQ(store.Since(store.version() - 3).size(), 3u);
}

TEST(Selector, KnowsEqualityAndPresence) {
  const Json object = {{"metadata", {{"name", "x"}, {"labels", {{"a", "1"}, {"b", "2"}}}}}};
  EXPECT_TRUE(Selector("a=1,b==2,!c").MatchesLabels(object));
  EXPECT_TRUE(Selector("a").MatchesLabels(object));
  EXPECT_FALSE(Selector("a!=1").MatchesLabels(object));
  EXPECT_FALSE(Selector("c").MatchesLabels(object));
  EXPECT_TRUE(Selector("metadata.name=x").MatchesFields(object));
  EXPECT_FALSE(Selector("metadata.name!=x").MatchesFields(object));
}

}  // namespace
}  // namespace wsf::api
