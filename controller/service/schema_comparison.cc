#include "controller/service/schema_comparison.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/schema/schema.h"
#include "controller/dispatch/target_record.h"
#include "controller/service/some_at_a_time.h"

namespace curlew::service {
namespace {

constexpr size_t kMostAtWork = 8;

void Fill(const absl::StatusOr<v1::Schema>& reference, const absl::StatusOr<v1::Schema>& schema,
          v1::SchemaComparison* comparison) {
  if (!reference.ok() || !schema.ok()) {
    comparison->set_error(std::string((reference.ok() ? schema : reference).status().message()));
    return;
  }
  for (std::string& line : schema::Diff(*reference, *schema)) comparison->add_differences(std::move(line));
}

// The schema on record of a target; `name` gets what it is, for people.
absl::StatusOr<v1::Schema> OnRecord(dispatch::Engine* engine, const std::string& target, std::string* name) {
  const auto record = engine->store().records().NewestTargetRecord(target);
  if (absl::IsNotFound(record.status())) {
    return absl::NotFoundError(absl::StrCat("nothing is on record of target \"", target,
                                            "\"; `curlew target baseline ", target, "` records it as it is"));
  }
  RETURN_IF_ERROR(record.status());
  *name = dispatch::DescribeRecord(*record);
  return dispatch::SchemaOfRecord(*record);
}

}  // namespace

void CompareWithTarget(dispatch::Engine* engine, const std::string& reference,
                       const std::vector<std::string>& targets, v1::CompareSchemasResponse* response,
                       std::function<void()> done) {
  for (const std::string& target : targets) {
    v1::SchemaComparison* comparison = response->add_comparisons();
    comparison->set_target(target);
    comparison->set_reference(reference);
  }
  engine->schemas().Ask(
      reference, v1::Scope(), [=, done = std::move(done)](absl::StatusOr<v1::Schema> asked) mutable {
        const auto proved = std::make_shared<const absl::StatusOr<v1::Schema>>(std::move(asked));
        if (!proved->ok()) {
          for (v1::SchemaComparison& comparison : *response->mutable_comparisons()) {
            Fill(*proved, *proved, &comparison);
          }
          return done();
        }
        SomeAtATime::Run(
            targets.size(), kMostAtWork,
            [=](size_t i, std::function<void()> ended) {
              engine->schemas().Ask(targets[i], v1::Scope(),
                                    [=, ended = std::move(ended)](const absl::StatusOr<v1::Schema>& schema) {
                                      Fill(*proved, schema,
                                           response->mutable_comparisons(static_cast<int>(i)));
                                      ended();
                                    });
            },
            std::move(done));
      });
}

void CompareWithRecords(dispatch::Engine* engine, const std::vector<std::string>& targets,
                        v1::CompareSchemasResponse* response, std::function<void()> done) {
  for (const std::string& target : targets) response->add_comparisons()->set_target(target);
  SomeAtATime::Run(
      targets.size(), kMostAtWork,
      [=](size_t i, std::function<void()> ended) {
        engine->schemas().Ask(
            targets[i], v1::Scope(), [=, ended = std::move(ended)](const absl::StatusOr<v1::Schema>& schema) {
              v1::SchemaComparison* comparison = response->mutable_comparisons(static_cast<int>(i));
              std::string reference;
              Fill(OnRecord(engine, targets[i], &reference), schema, comparison);
              comparison->set_reference(reference);
              ended();
            });
      },
      std::move(done));
}

}  // namespace curlew::service
