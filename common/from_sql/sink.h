// Where the families of statements put the pieces of a statement. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_SINK_H_
#define CURLEW_COMMON_FROM_SQL_SINK_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/from_sql/known.h"
#include "common/from_sql/piece.h"

namespace curlew::from_sql {

// The phases in which an operation does something, the first and the last.
std::pair<v1::Phase, v1::Phase> PhasesOf(const v1::Operation& operation);

// Of one statement; not thread-safe. References to pieces hold until the next piece is added.
class Sink {
 public:
  // `text` is the statement as it is written; `pieces` holds those of the statements before it too.
  Sink(int statement, absl::string_view text, Known* known, std::vector<Piece>* pieces)
      : statement_(statement), text_(text), known_(*known), pieces_(*pieces) {}

  // The sink for a statement that stands within this one; `passes_over_duplicates`: it is nothing where its
  // object exists.
  Sink Within(absl::string_view text, bool passes_over_duplicates) const {
    Sink inner(statement_, text, &known_, &pieces_);
    inner.passes_over_duplicates_ = passes_over_duplicates;
    return inner;
  }
  bool passes_over_duplicates() const { return passes_over_duplicates_; }

  Known& known() { return known_; }
  absl::string_view text() const { return text_; }
  int statement() const { return statement_; }

  // An operation that says the same as `node`; `changed` is what it makes another thing. `down` undoes the
  // SQL exactly; empty where nothing does. Takes it into what is known.
  Piece& Operation(v1::Operation operation, const pg_query::Node& node, const std::string& changed,
                   std::string down = "");
  // A piece that is no operation, because of `why`.
  Piece& Sql(const pg_query::Node& node, std::string why, std::string down = "");
  // The same for SQL that needs no search_path set before it.
  Piece& Sql(std::string sql, Keys touches, std::string why, std::string down = "");
  // The statement, or a part of it, that is left out; why.
  void LeaveOut(std::string why) { left_out_.push_back(std::move(why)); }
  const std::vector<std::string>& left_out() const { return left_out_; }

  // The piece before this statement that adds the column, as far as nothing since then has looked at the rows
  // of the table or changed it in a way that is not known; nullptr where there is none.
  Piece* AddsColumn(const sql::TableName& table, absl::string_view column);
  // Pieces before, for families that put several together.
  std::vector<Piece>& pieces() { return pieces_; }
  // Says that piece `from` is said by `into` too; -1 for none.
  void Merge(size_t from, int into) { pieces_[from].merged_into = into; }

 private:
  std::string SqlOf(const pg_query::Node& node) const;

  const int statement_;
  const absl::string_view text_;
  Known& known_;
  std::vector<Piece>& pieces_;
  std::vector<std::string> left_out_;
  bool passes_over_duplicates_ = false;
};

// What stands before a statement so that its names without a schema mean what they meant in the script; empty
// where that is so without it.
std::string PathPrefix(const Known& known);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_SINK_H_
