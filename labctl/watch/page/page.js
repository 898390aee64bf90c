// The page of labctl watch.
import { LAB_PANELS, follow } from "./live.js";

follow("changes", LAB_PANELS);
