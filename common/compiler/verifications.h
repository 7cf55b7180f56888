// A plan's verifications, against what its operations make of the schema. Of this folder alone.
#ifndef CURLEW_COMMON_COMPILER_VERIFICATIONS_H_
#define CURLEW_COMMON_COMPILER_VERIFICATIONS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/operation.h"
#include "common/sql/identifier.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::compiler {

using Operations = std::vector<std::unique_ptr<operations::Operation>>;

// Names without a schema in the author's queries are in public.
inline constexpr char kPublicPath[] = "pg_catalog, public, pg_temp";

// FAILED_PRECONDITION "FIELD: WHAT", with `field` as base::kField.
absl::Status Refuse(const std::string& field, absl::string_view what);
// The tables that there are, for messages.
std::string TablesOf(const v1::Schema& schema);
v1::Step NewStep(v1::Phase phase, std::string title);
// Notes that `step` reads the table, whose name is qualified and quoted.
void Reads(const std::string& table, v1::Step* step);

// What is measured, of which table (qualified and quoted).
struct Measured {
  v1::Measurement measurement;
  std::string table;
};

// Which verifications: queries hold in the last stage alone.
enum class Answers { kMeasuredOnly, kAll };

// The verifications of one plan. Not thread-safe.
class Verifications {
 public:
  // `before` holds what each operation sees, and the end; `first_of` the first operations of the stages. All
  // must outlive the object; `before` may be empty where the plan verifies nothing.
  Verifications(const v1::Plan& plan, const Operations& all, const std::vector<v1::Schema>& before,
                const std::vector<int>& first_of);

  // Compiles them; before anything else. FAILED_PRECONDITION where a table or column is not there before the
  // plan, or not any more, or another one, before the DROP of the last stage. Appends to `warnings`.
  absl::Status Read(std::vector<std::string>* warnings);

  const std::vector<Measured>& measured() const { return measured_; }
  // Their names, in the order in which they are looked at.
  std::vector<std::string> Names(Answers which) const;
  // Adds them to a Verify.
  void AddTo(Answers which, v1::Step* step) const;
  // The step that measures what is compared later, and the one that looks at all of them.
  v1::Step MeasureStep() const;
  v1::Step VerifyStep() const;

 private:
  absl::Status ReadQuery(const v1::Verification& verification);
  absl::Status ReadRowCount(const v1::Verification& verification, const std::string& path,
                            std::vector<std::string>* warnings);
  absl::Status ReadChecksum(const v1::Verification& verification, const std::string& path,
                            std::vector<std::string>* warnings);
  absl::StatusOr<sql::SqlText> Where(const sql::TableName& table, const std::string& where,
                                     const std::string& path) const;
  void AddMeasured(const v1::Verification& verification, const sql::TableName& table,
                   const sql::SqlText& query, const std::string& what, const std::string& where,
                   std::vector<std::string>* warnings);
  // Whether the operation changes rows of the table before the DROP of the last stage.
  bool ChangesRowsBefore(int operation, const std::string& table) const;
  absl::Status CheckTableStays(const sql::TableName& table, const std::string& path) const;
  // The column is there, the same one, from the beginning to the DROP of the last stage. The table is.
  absl::Status CheckColumnStays(const sql::TableName& table, const std::string& column,
                                const std::string& path) const;
  const v1::Column* Find(int operation, const sql::TableName& table, const std::string& column) const;
  std::string GoneBy(int operation) const;
  absl::Status MissingBefore(const sql::TableName& table, const std::string& column,
                             const std::string& path) const;

  const v1::Plan& plan_;
  const Operations& all_;
  const std::vector<v1::Schema>& before_;
  const std::vector<int>& first_of_;
  const int last_;  // the first operation of the last stage
  std::vector<v1::Expectation> expectations_;
  std::vector<Measured> measured_;
};

}  // namespace curlew::compiler

#endif  // CURLEW_COMMON_COMPILER_VERIFICATIONS_H_
