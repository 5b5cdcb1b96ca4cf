-- reference: the rows of reference tables as they counted at the clock's time; both days are included.
CREATE OR REPLACE VIEW reference_at AS
SELECT v.Name AS name, r.Key AS key, r.ValidFrom AS valid_from, r.ValidTo AS valid_to, r.Values AS values
FROM reference_rows AS r FINAL
INNER JOIN
(
    SELECT Name, argMax(Content, LoadedAt) AS Content
    FROM reference_versions
    WHERE Tenant IN ('', {tenant:String}) AND LoadedAt <= {now:DateTime64(6, 'UTC')}
    GROUP BY Name
) AS v ON v.Content = r.Content;
