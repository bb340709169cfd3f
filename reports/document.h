// reports/document.h -- a report as text, tables and names of pictures, before it is HTML or
// Markdown.
#pragma once

#include "reports/report_files.h"
#include "reports/text_table.h"

#include <string>
#include <utility>
#include <vector>

namespace ithaca {

struct DocumentTable {
  std::string caption;  ///< may be empty
  std::vector<TextTable::Column> columns;
  std::vector<std::vector<std::string>> rows;
};

struct Figure {
  std::string name;     ///< NAME.svg and NAME.png beside the report
  std::string caption;  ///< what to see in it
};

struct Section {
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<Figure> figures;
  std::vector<DocumentTable> tables;
  std::vector<std::string> notes;
  std::string data;  ///< the CSV file that holds its numbers
};

struct Document {
  std::string title, headline;
  std::vector<std::pair<std::string, std::string>> asked;  ///< what was asked, in integers
  std::vector<Section> sections;
};

/// All that a report says, in order.
Document document_of(const ReportData&);

/// Sections of a plan's job and of one run, in order.
std::vector<Section> plan_sections(const PlanData&);
/// A run that is not of `plan` says so.
std::vector<Section> run_sections(const RunRecord&, std::size_t number, const PlanData* plan);

}  // namespace ithaca
